/** Which folders the daemon writes to and reads from, as the configuration has it: what a sandbox must let through. */
import { dirname, join } from "@std/path";
import { isOnThisComputer, loginOf, type Settings } from "../config/settings.ts";
import type { Needs } from "./service.ts";

/** Writes: state, log, pid file, bases of local destinations, and watched folders whose files it removes. Reads the rest. */
export function needsOf(settings: Settings, home: string): Needs {
  const { stateDirectory, log, pidFile, jobs, web, file } = settings;
  const destinations = jobs.flatMap((job) => job.destinations);
  const bases = destinations.filter(isOnThisComputer).map(({ basePath }) => basePath);
  const moved = jobs.filter((job) => job.deleteSource).map((job) => job.watchPath);
  const isRemote = destinations.some(({ transport }) => loginOf(transport) !== null);
  const usual = join(home, ".config", "rclone");
  const configs = destinations.flatMap(({ transport }) => transport.method === "rclone" ? transport.rcloneConfig ?? usual : []);
  const files = [...configs, file, web?.tlsCert, web?.tlsKey].filter((path) => typeof path === "string");
  const writable = unique([stateDirectory, log.directory, ...(pidFile === null ? [] : [dirname(pidFile)]), ...bases, ...moved]);
  const readable = unique([...jobs.map((job) => job.watchPath), ...files, ...(isRemote ? [join(home, ".ssh")] : [])]);
  return { writable, readable: readable.filter((path) => !writable.includes(path)) };
}

function unique(paths: readonly string[]): string[] {
  return [...new Set(paths)];
}
