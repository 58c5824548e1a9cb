/**
 * What the steps of resolving share.
 *
 * @module
 */
import type { Expanded, Surroundings } from "./expand_path.ts";
import { defaultOf } from "../schema/schema.ts";
import type { Shape } from "../schema/settings_of.ts";
import type { Path } from "../read/source.ts";
import type { Report } from "../read/tree.ts";

/** Keys with their values, as written. */
export type Section = Record<string, unknown>;

/** Where the steps take from and report to. */
export interface Resolving {
  readonly around: Surroundings;
  readonly report: Report;
  /** Keys that were wrong and taken out, so that they are not called missing. */
  readonly wrong: ReadonlySet<string>;
  /** Where a key stands that a section takes from above: in its job, at the top, or nowhere (the section itself). */
  placeOf(path: Path, key: string): Path;
}

/** The path, or an empty one after reporting what is wrong with it. */
export function resolved(key: string, expanded: Expanded, at: Path, to: Resolving): string {
  if (expanded.fault === undefined) return expanded.path;
  to.report(at, `"${key}" ${expanded.fault}`);
  return "";
}

/** The keys of a shape, none of them set. */
export function withoutKeys(shape: Shape): Section {
  return Object.fromEntries(Object.keys(shape).map((key) => [key, undefined]));
}

/** The values of a shape's keys as written, or their defaults; keys without either are left out. */
export function withDefaults(shape: Shape, written: Section): Section {
  const values = Object.entries(shape).map(([key, type]) => [key, written[key] ?? defaultOf(type)] as const);
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}
