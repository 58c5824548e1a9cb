/**
 * `NIGHT` in a watched path: the folders of all nights below the part before it are watched, so that nothing of a
 * former night is left behind at the rollover. A file's path begins below the folder of its night.
 */
import { withNight } from "../names/layout.ts";

/** A file or folder seen from the folder of its night. */
interface InNight {
  /** `YYYYMMDD`, as the folder says. */
  readonly night: string;
  /** The path below that folder, `/` between the parts. */
  readonly path: string;
}

/** Reads relative paths (`/` between the parts) against one template; made by {@linkcode nightFolder}. */
interface NightFolder {
  /** Where a path below the watched folder lies; null where it is in the folder of no night. */
  locate(path: string): InNight | null;
  /** True for a folder that folders of nights may lie in. */
  leadsThere(folder: string): boolean;
}

/** Reads a template like `NIGHT/raw`: the part of the watched path from the first `NIGHT` on, `/` between its parts. */
export function nightFolder(template: string): NightFolder {
  const parts = template.split("/").filter((part) => part !== "");
  let named = false;
  const patterns = parts.map((part) =>
    withNight(part, "\0").split("\0").map(escaped).reduce((before, after) => {
      const night = named ? "\\k<night>" : `(?<night>${DATE})`;
      named = true;
      return before + night + after;
    })
  );
  const whole = new RegExp(`^${patterns.join("/")}/(?<path>.+)$`, "su");
  const ways = patterns.slice(0, -1).map((_, index) => new RegExp(`^${patterns.slice(0, index + 1).join("/")}$`, "su"));
  return {
    locate(path) {
      const groups = whole.exec(path)?.groups;
      return groups?.["night"] === undefined || groups["path"] === undefined
        ? null
        : { night: groups["night"], path: groups["path"] };
    },
    leadsThere: (folder) => folder === "" || ways.some((way) => way.test(folder)),
  };
}

/** A day as `YYYYMMDD`; other numbers of eight digits are no night. */
const DATE = "(?:19|20|21)\\d\\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\\d|3[01])";

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
