/**
 * Where this process runs: account, folders, environment.
 *
 * @module
 */
import { hideVariable } from "../processes/launch.ts";
import { homedir, hostname } from "node:os";
import process from "node:process";
import { lock } from "../files/lock.ts";
import { runtimeFolder } from "./runtime_folder.ts";
import type { Platform, Surroundings } from "../system.ts";

/** See `Surroundings`. Made once: the host name and the home folder do not change under a running daemon. */
export function createSurroundings(): Surroundings {
  const { os } = Deno.build;
  const platform: Platform = os === "windows" || os === "darwin" ? os : "linux";
  const env = (name: string) => Deno.env.get(name);
  return {
    platform,
    pid: Deno.pid,
    hostname: hostname(),
    uid: Deno.uid(),
    // A program started by a service manager may have no HOME: use the account's folder then, never the root.
    home: env(platform === "windows" ? "USERPROFILE" : "HOME") || homedir() || (platform === "windows" ? "C:\\" : "/"),
    separator: platform === "windows" ? "\\" : "/",
    executable: Deno.execPath(),
    compiled: Deno.build.standalone,
    secretEnv: (name) => {
      hideVariable(name);
      return env(name);
    },
    usage() {
      const { user, system } = process.cpuUsage();
      return { rssBytes: Deno.memoryUsage().rss, cpuSeconds: (user + system) / 1e6 };
    },
    env,
    embedded: (path) => Deno.readTextFile(embeddedUrl(path)),
    crash() {
      // As `kill -9` does; where a permission list forbids signals, an immediate exit comes closest.
      if (Deno.permissions.querySync({ name: "run" }).state === "granted") Deno.kill(Deno.pid, "SIGKILL");
      Deno.exit(137);
    },
    runtimeFolder,
    lock,
  };
}

/** From source, three folders up; in the binary, the bundle's folder stands beside the embedded ones (see `tests/build/build.ts`). */
export function embeddedUrl(path: string, here: string = import.meta.url): URL {
  return new URL(`${here.endsWith(".ts") ? "../../../" : "../"}${path}`, here);
}
