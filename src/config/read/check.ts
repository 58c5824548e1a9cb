/**
 * Checks a tree against the schema, reports every mistake, and removes what is wrong, so that the rest can be checked as well.
 */
import type * as z from "zod";
import { nearestKey } from "../../domain/names/nearest_key.ts";
import { secretKeys, sectionOf } from "../schema/json_schema.ts";
import { fileSchema, keysInside, unwrapped } from "../schema/schema.ts";
import { jobShape } from "../schema/schema_job.ts";
import { isSection, type Path } from "./source.ts";
import { ALIASES } from "./tidy.ts";
import type { Report } from "./tree.ts";
import { meantKey, unknownKey } from "./unknown_key.ts";

/** Checks in place; returns the names of keys that were wrong somewhere. */
export function check(root: Record<string, unknown>, report: Report): Set<string> {
  const wrong = new Set<string>();
  const result = fileSchema.safeParse(root);
  for (const issue of result.success ? [] : result.error.issues.flatMap((issue) => unfold(issue, root))) {
    const path = issue.path.filter((part) => typeof part !== "symbol");
    if (issue.code === "unrecognized_keys") {
      const known = knownKeys(path);
      const section = valueAt(root, path) as object;
      for (const key of issue.keys) {
        const elsewhere = misplaced(key, path);
        report([...path, key], elsewhere ?? unknownKey(key, known, section, (name) => knownKeys([...path, name])));
        const meant = elsewhere === null ? meantKey(key, known, section) : undefined;
        // What was meant is not missing as well.
        if (meant !== undefined) wrong.add(meant);
      }
    } else {
      const value = valueAt(root, path);
      report(
        path,
        value === undefined ? `"${subject(path)}" is missing; it ${issue.message}` : wrongValue(path, issue.message, value),
      );
      wrong.add(String(path[keyIndex(path)] ?? path[0]));
    }
  }
  if (!result.success) { for (const issue of result.error.issues) takeOut(root, issue); }
  return wrong;
}

/** A key that is known, but elsewhere. */
function misplaced(key: string, path: Path): string | null {
  if (path.length === 0 || !Object.hasOwn(fileSchema.shape, key)) return null;
  const place = typeof path.at(-1) === "number" ? `a ${path.at(-2) === "jobs" ? "job" : "destination"}` : `"${path.at(-1)}"`;
  return `"${key}" is not allowed in ${place}; it belongs ${
    Object.hasOwn(jobShape, key) ? "in its job" : "at the top of the file"
  }`;
}

/** For a value that may have several forms, the mistakes inside the form that was meant. */
function unfold(issue: z.core.$ZodIssue, root: unknown): z.core.$ZodIssue[] {
  const value = valueAt(root, issue.path);
  if (issue.code !== "invalid_union" || !(isSection(value) || Array.isArray(value))) return [issue];
  const inside = issue.errors.find((errors) =>
    errors.some((error) => error.path.length > 0 || error.code === "unrecognized_keys" || error.code === "custom")
  );
  return inside?.map((error) => ({ ...error, path: [...issue.path, ...error.path] })) ?? [issue];
}

function wrongValue(path: Path, message: string, value: unknown): string {
  if (!message.startsWith("must")) return `"${subject(path)}" is invalid: ${message}`;
  const word = typeof value === "string"
    ? nearestKey(value, [...message.matchAll(/"([^"]+)"/g)].map((match) => match[1]!))
    : undefined;
  const isKnown = Array.isArray(value) && !message.includes("section") || message.startsWith("must have");
  const not = isKnown || mayBeSecret(path) ? "" : `, not ${shown(value)}`;
  return `"${subject(path)}" ${message}${not}${word === undefined || word === value ? "" : `; did you mean "${word}"?`}`;
}

/** The key as the user wrote it, without the jobs and destinations around it. */
function subject(path: Path): string {
  const own = path.slice(keyIndex(path));
  if (own.length === 0) return String(path.at(-2) ?? "configuration");
  return own.map((part, index) => typeof part === "number" ? `[${part}]` : index === 0 ? part : `.${part}`).join("");
}

/** Where in the path the section's own key begins, after jobs[n] and destinations[n]. */
function keyIndex(path: Path): number {
  let at = 0;
  while ((path[at] === "jobs" || path[at] === "destinations") && typeof path[at + 1] === "number") at += 2;
  return at;
}

/** True for a key that holds a secret, and for a section with such a key: a secret may have been written in its place. */
function mayBeSecret(path: Path): boolean {
  const isSecret = secretKeys();
  const names = path.filter((part) => typeof part === "string");
  let section = "";
  for (const name of names) {
    if (isSecret(section, name)) return true;
    section = sectionOf(section, name);
  }
  return knownKeys(path).some((key) => isSecret(section, key));
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (isSection(value)) return "a section";
  if (typeof value === "string") return `"${value.length > 60 ? `${value.slice(0, 60)}…` : value}"`;
  return String(value);
}

function knownKeys(path: Path): string[] {
  let type: z.ZodType = fileSchema;
  for (const part of path) {
    const next = typeof part === "number" ? (unwrapped(type) as { element?: z.ZodType }).element : keysInside(type)[part];
    if (!next) return [];
    type = next;
  }
  const keys = Object.keys(keysInside(type));
  return keyIndex(path) === path.length ? [...keys, ...Object.keys(ALIASES)] : keys;
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, part) => (value as Record<PropertyKey, unknown> | undefined | null)?.[part], root);
}

/** Removes the whole key that the issue lies in, or the unknown keys themselves. */
function takeOut(root: Record<string, unknown>, issue: z.core.$ZodIssue): void {
  const path = issue.path.filter((part) => typeof part !== "symbol");
  const index = keyIndex(path);
  const section = valueAt(root, path.slice(0, index));
  const key = path[index];
  if (isSection(section) && key !== undefined) delete section[key];
  else if (isSection(section) && issue.code === "unrecognized_keys") {
    for (const unknown of issue.keys) {
      delete section[unknown];
    }
  }
}
