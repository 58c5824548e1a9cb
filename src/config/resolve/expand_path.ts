/** Paths of this computer as people write them: `~`, `$VAR`, `${VAR}`, `%VAR%` on Windows, `C:/…` and `C:\…`. */
import { normalize as normalizePosix } from "@std/path/posix";
import { normalize as normalizeWindows } from "@std/path/windows";

/** What paths and defaults depend on. A `System` has it; being on the same floor, it is not imported. */
export interface Surroundings {
  readonly platform: "linux" | "darwin" | "windows";
  /** The user's home folder. */
  readonly home: string;
  env(name: string): string | undefined;
  /** The same for one that holds a secret: programs do not get it. */
  readonly secretEnv?: (name: string) => string | undefined;
}

/** What finding and reading a file takes. */
export interface ConfigFiles extends Surroundings {
  followedFacts(path: string): Promise<{ readonly kind: "file" | "folder" | "symlink" | "other" } | null>;
  /** What is in a folder; symlinks are not followed. */
  list?(folder: string): Promise<{
    readonly entries: readonly {
      readonly name: string;
      readonly facts: { readonly kind: string; readonly mode: number; readonly uid?: number | null };
    }[];
  }>;
  /** The account that asks; null where accounts have no numbers. */
  readonly uid?: number | null;
  /** The path with its links followed; null where nothing is. */
  realPath?(path: string): Promise<string | null>;
  /** What is at a path, links not followed. */
  facts?(path: string): Promise<unknown>;
  /** A folder of image-transfer's own, for sockets. */
  runtimeFolder?(): Promise<string>;
  /** At most so many bytes from there on. */
  read(path: string, offset: number, length: number): Promise<Uint8Array>;
}

/** A path, or what is wrong with it, as the rest of a sentence that begins with the key. */
export type Expanded = { readonly path: string; readonly fault?: undefined } | { readonly fault: string };

/** An absolute path as this system writes it; a Windows path on another system is left unchanged. */
export function expandPath(written: string, around: Surroundings): Expanded {
  const text = expandVariables(written, around);
  return text.fault === undefined ? wholePath(text.path, written, around) : text;
}

/** As {@linkcode expandPath}, but `$` and `%` are ordinary characters; `written` is what an error quotes. */
export function wholePath(text: string, written: string, around: Pick<Surroundings, "home" | "platform">): Expanded {
  const whole = text.replace(/^~(?=$|[/\\])/, () => around.home);
  if (whole.startsWith("~")) return { fault: `refers to the home folder of another user, "${written}"; write the full path` };
  if (around.platform === "windows") {
    if (!/^[A-Za-z]:[\\/]|^[\\/]{2}[^\\/]/.test(whole)) return { fault: notAbsolute(written) };
    return { path: withoutEnd(normalizeWindows(whole)) };
  }
  if (isWindowsPath(whole)) return { path: whole };
  if (!whole.startsWith("/")) return { fault: notAbsolute(written) };
  return { path: withoutEnd(normalizePosix(whole)) };
}

/** Whether a path begins with a drive, as it does on Windows only. */
export function isWindowsPath(path: string): boolean {
  return /^[A-Za-z]:[\\/]/.test(path);
}

/** Replaces environment variables by their values; leaves `~` unchanged. */
export function expandVariables(written: string, around: Pick<Surroundings, "platform" | "env">): Expanded {
  const missing: string[] = [];
  const value = (whole: string, name: string) => {
    const found = around.env(name);
    if (!found) missing.push(whole);
    return found ?? "";
  };
  let path = written.replace(/\$(?:\{(\w+)\}|([A-Za-z_]\w*))/g, (whole, braced, bare) => value(whole, braced ?? bare));
  if (around.platform === "windows") path = path.replace(/%(\w+)%/g, value);
  return missing.length === 0 ? { path } : { fault: `contains ${missing.join(", ")}, which is not set in the environment` };
}

/** Whether a part of the path begins with a dot. */
export function isHidden(path: string): boolean {
  return /(?:^|[\\/])\.[^\\/]/.test(path);
}

/** True when `inner` is `outer` or lies in it. Both absolute and normalised. */
export function isWithin(inner: string, outer: string, platform: Surroundings["platform"]): boolean {
  const plain = (path: string) => {
    const slashes = platform === "windows" || /^[A-Za-z]:/.test(path) ? path.replaceAll("\\", "/") : path;
    return `${platform === "linux" ? slashes : slashes.toLowerCase()}/`.replace(/\/+$/, "/");
  };
  return plain(inner).startsWith(plain(outer));
}

function notAbsolute(written: string): string {
  if (/^[“”„«»‘’‚]/.test(written)) return `begins with a typographic quote, which is part of the value; write " or ' instead`;
  if (written.startsWith("\\\\")) return `is a Windows path, "${written}"; mount it, and write the folder where it is mounted`;
  return `must be an absolute path, beginning with /, ~ or a drive, not "${written}"`;
}

function withoutEnd(path: string): string {
  return /^([A-Za-z]:)?[\\/]$/.test(path) ? path : path.replace(/[\\/]+$/, "");
}
