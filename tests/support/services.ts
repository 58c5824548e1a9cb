/**
 * A Linux computer in a folder, on which root is called by `observer` with sudo: its /etc, /var and /root, and the home of the observer.
 */
import { writeMark } from "../../src/config/read/service_mark.ts";
import { pathToRead } from "../../src/domain/source_file.ts";
import { createSystem } from "../../src/system/create_system.ts";
import type { System } from "../../src/system/system.ts";
import { type TempFolder, tempFolder } from "./temp.ts";

/** The system as root sees it; `observer` has the number of whoever runs the test, so that files belong to that account. */
export function computer(dir: TempFolder): Partial<System> {
  const real = createSystem();
  const at = (path: string) => /^\/(var\/lib|etc|root|usr\/local)/.test(path) ? dir.at(path.slice(1)) : path;
  return {
    platform: "linux",
    uid: 0,
    compiled: true,
    executable: dir.at("download"),
    home: "/root",
    env: (name) => name === "SUDO_USER" ? "observer" : undefined,
    run: ({ args }) => {
      const stdout = args[0] === "passwd" ? `observer:x:${Deno.uid()}:0::${dir.at("observer")}:/bin/sh\n` : "";
      return Promise.resolve({ code: 0, signal: null, stdout, stderr: "" });
    },
    list: (path) => real.list(at(path)),
    facts: (path) => real.facts(at(path)),
    followedFacts: (path) => real.followedFacts(at(path)),
    makeFolder: (path, mode) => real.makeFolder(at(path), mode),
    writeText: (path, text, mode) => real.writeText(at(path), text, mode),
    readText: (path) => real.readText(at(path)),
    copy: (from, to, ...rest) => real.copy(from, at(to), ...rest),
    rename: (from, to) => real.rename(at(from), at(to)),
    remove: (path) => real.remove(at(path)),
    setMode: (path, mode) => real.setMode(at(path), mode),
    symlink: (target, path) => real.symlink(target, at(path)),
    read: (from, offset, length) => real.read(typeof from === "string" ? at(pathToRead(from)) : from, offset, length),
  };
}

/** A configuration for `observer`, a program that was downloaded, and no service. */
export async function observatory(): Promise<TempFolder> {
  const dir = await tempFolder();
  await dir.write("download", "program");
  for (const name of ["observer/images", "nas", "var/lib", "etc/systemd/system"]) {
    await Deno.mkdir(dir.at(name), { recursive: true });
  }
  const keys = { watch_path: "~/images", transfer_method: "local", remote_base_path: dir.at("nas"), web: false };
  await dir.write("c.yaml", JSON.stringify(keys));
  return dir;
}

/** An installed service of the computer, or with `folder` in another place. */
export async function addService(
  dir: TempFolder,
  service: { name: string; config: string; state: string; folder?: string; account?: string },
): Promise<void> {
  const { name, config, state, folder = "etc/systemd/system", account = "observer" } = service;
  const mark = { program: "/p", copied: false, config, account, home: dir.at(account), state, log: "/l" };
  await dir.write(`${folder}/${name}.service`, `# ${writeMark(mark)}\n[Unit]\n`);
}
