/** Keys of the configuration that come from a command line. */
import { ConfigError, parseSettings } from "../../config/read/parse_settings.ts";
import { absolutePath } from "../../config/read/find_config.ts";
import type { Surroundings } from "../../config/resolve/expand_path.ts";
import type { Settings } from "../../config/settings.ts";
import { Failure } from "../../domain/failure.ts";
import type { Tools } from "../command.ts";

/** The keys of a destination as {@linkcode destinationKeys} has them; a folder of this computer begins in the current one. */
export function destinationHere(
  word: string,
  { system, cwd }: Pick<Tools, "system" | "cwd">,
): ReturnType<typeof destinationKeys> {
  const keys = destinationKeys(word, system.platform === "windows");
  return keys["transfer_method"] === "local" ? { ...keys, remote_base_path: absolutePath(word, cwd, system) } : keys;
}

/** What the keys mean. @throws {Failure} `configuration` with everything that is wrong; there is no file whose lines could be named. */
export function settingsOfKeys(keys: Readonly<Record<string, unknown>>, around: Surroundings): Settings {
  try {
    return { ...parseSettings(JSON.stringify(keys), "", "yaml", around), file: null };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new Failure("configuration", error.problems.map(({ message }) => message).join("; "), { cause: error });
  }
}

// A destination as it is written on a command line, as keys of the configuration. Pure.

/** Keys of a destination with their values. */
type Keys = Readonly<Record<string, string | number>>;

/** `remote:bucket`; one letter is a drive of Windows. */
const REMOTE = /^([\w.@-][\w. @-]+):(.*)$/s;
/** `user@host` and `192.168.1.5`, also with `/path`: what was meant is not a folder of this name here. */
const LOGIN = /^([\w.-]+@[\w.-]+|\d{1,3}(?:\.\d{1,3}){3})(\/.*)?$/s;
/** `\\server\share`, `//server/share` and `D:\images`. */
const WINDOWS = /^(?:[\\/]{2}|[a-z]:\\)/i;
const SCHEMES: Readonly<Record<string, string>> = { ssh: "auto", sftp: "sftp", scp: "scp", ftp: "ftp", ftps: "ftps" };

/**
 * The keys for `/mnt/nas`, `user@host:/path`, `sftp://user@host:22/path` (also `ssh`, `scp`, `ftp`, `ftps`) and `remote:bucket/path`, which is one
 * of rclone's. As for scp, what has no colon before its first slash is a folder of this computer; but for `user@host`, IPv4 addresses, and paths of
 * Windows elsewhere, which nobody means so. A host needs `user@`, or a path that begins with `/` or `~`; without them `name:path` is a remote of rclone.
 *
 * @throws {Failure} `configuration` for what is none of these, and for a password: others can see command lines.
 */
export function destinationKeys(word: string, onWindows: boolean): Keys {
  if (word === "") throw wrong(word, "it is empty", "Specify a folder, user@host:/path or remote:bucket.");
  const scheme = /^([a-z]+):\/\//i.exec(word)?.[1]?.toLowerCase();
  if (scheme !== undefined) return fromAddress(word, scheme);
  const [, login, folder = "/data/images"] = LOGIN.exec(word) ?? [];
  if (login !== undefined) {
    throw wrong(
      word,
      "it has no colon behind the host",
      `Write it as ${login}:${folder}; for a folder of this computer ./${word}`,
    );
  }
  if (!onWindows && WINDOWS.test(word)) {
    const hint = "Mount it here and specify the folder where it is mounted, or send to user@host:/path.";
    const local = word.startsWith("//") ? word.slice(1) : `./${word}`;
    throw wrong(word, "it is a path of Windows", `${hint} For a folder of this name: ${local}`);
  }
  // A shell replaces `~bob`, unless it is quoted or there is no such account.
  if (/^~[^/\\]/.test(word)) {
    throw wrong(word, "it means the home folder of another account", `Write the whole path; for a folder of this name ./${word}`);
  }
  const [, name = "", path = ""] = REMOTE.exec(word) ?? [];
  if (name === "" || name.includes("/") || name.includes("\\")) return { transfer_method: "local", remote_base_path: word };
  const at = name.lastIndexOf("@");
  if (at < 0 && !/^[/~]/.test(path)) return { transfer_method: "rclone", remote_base_path: word };
  if (path === "") throw wrong(word, "it names no folder", `Write one: ${word}/data/images`);
  const host = name.slice(at + 1);
  return { remote_host: host, ...(at > 0 ? { remote_user: name.slice(0, at) } : {}), remote_base_path: path };
}

function fromAddress(word: string, scheme: string): Keys {
  const method = SCHEMES[scheme];
  const known = Object.keys(SCHEMES).map((one) => `${one}://`).join(", ");
  if (method === undefined) throw wrong(word, `"${scheme}://" is not known`, `Known are ${known}, user@host:/path and folders.`);
  const url = URL.parse(word);
  if (url === null || url.hostname === "") {
    throw wrong(word, "it is not a valid address", `Write it as ${scheme}://user@host/path.`);
  }
  if (url.password !== "") {
    const hint = "Leave it out, and name a file that contains it: --set password_file=FILE";
    throw wrong(word.replace(/:[^:@/]*@/, ":…@"), "it contains a password, which others can see in the list of processes", hint);
  }
  return {
    transfer_method: method,
    remote_host: decodeURIComponent(url.hostname),
    ...(url.username === "" ? {} : { remote_user: decodeURIComponent(url.username) }),
    ...(url.port === "" ? {} : { remote_port: Number(url.port) }),
    // As in curl: `ftp://host/%2Fdata` and `sftp://host/data` are absolute, `sftp://host/~/data` is below the home folder.
    remote_base_path: decodeURIComponent(url.pathname === "" ? "/" : url.pathname).replace(
      /^\/\/|^\/(?=~)/,
      (found) => found === "//" ? "/" : "",
    ),
  };
}

function wrong(word: string, why: string, hint: string): Failure {
  return new Failure("configuration", `Cannot send to "${word}": ${why}`, { hint });
}
