/** What resolving a job, a destination and the program have in common. */
import { type Expanded, expandPath, expandVariables, type Surroundings } from "./expand_path.ts";
import { defaultOf } from "../schema/schema.ts";
import { settingOf, type SettingsOf, type Shape } from "../schema/values.ts";
import type { Path, Report } from "../read/source.ts";

export type Section = Record<string, unknown>;

/** What a section is resolved with, and where problems are reported. */
export interface Resolving {
  readonly around: Surroundings;
  readonly report: Report;
  /** Keys that were removed because their values were wrong: they must not be called missing. */
  readonly wrong: ReadonlySet<string>;
  /** Where a key is set that applies to a section: in it, in its job, or at the top; the section itself if nowhere. */
  placeOf(path: Path, key: string): Path;
}

/**
 * The settings of these keys in a checked section at `path`: defaults filled in, paths and secrets resolved. What is missing or
 * cannot be resolved is reported, and empty.
 */
export function resolveKeys<S extends Shape>(shape: S, section: Section, path: Path, to: Resolving): SettingsOf<S> {
  const settings = Object.entries(shape).flatMap(([key, type]) => {
    const about = settingOf(key, type);
    if (about.missing !== undefined && section[key] === undefined) {
      if (![key, "jobs", "destinations"].some((one) => to.wrong.has(one))) {
        to.report(path, `"${key}" is missing: ${about.missing}`);
      }
      return [[about.name, ""]];
    }
    const value = type.parse(section[key]) ?? null;
    if (typeof value !== "string" || about.kind === undefined) return [[about.name, value]];
    const expand = about.kind === "path" ? expandPath : expandSecret;
    return [[about.name, resolved(key, expand(value, to.around), path, to)]];
  });
  return Object.fromEntries(settings) as SettingsOf<S>;
}

/** The text, or an empty one after reporting what is wrong with the key's value in the section at `path`. */
export function resolved(key: string, expanded: Expanded, path: Path, to: Resolving): string {
  if (expanded.fault === undefined) return expanded.path;
  refuse(key, expanded.fault, path, to);
  return "";
}

/** Reports what is wrong with a key that applies to the section at `path`. */
export function refuse(key: string, fault: string, path: Path, to: Resolving): void {
  const section = typeof path.at(-1) === "string" ? `${path.at(-1)}.` : "";
  to.report(to.placeOf(path, key), `"${section}${key}" ${fault}`);
}

/** A secret that is only the name of an environment variable is that variable's value. */
export function expandSecret(written: string, around: Surroundings): Expanded {
  if (!/^\$(\w+|\{\w+\})$/.test(written)) return { path: written };
  return expandVariables(written, { platform: around.platform, env: (name) => (around.secretEnv ?? around.env)(name) });
}

/** The values of a shape's keys as written, or their defaults; keys without either are left out. */
export function withDefaults(shape: Shape, written: Section): Section {
  const values = Object.entries(shape).map(([key, type]) => [key, written[key] ?? defaultOf(type)] as const);
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}
