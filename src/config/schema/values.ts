/**
 * The kinds of values a configuration holds, as zod types. Their messages continue a sentence that begins with
 * the key: `"retry_attempts" must be a whole number from 0 to 1000`.
 */
import ms from "ms";
import * as z from "zod";
import { isTimeZone, rolloverMinutes } from "../../domain/night/night.ts";

export function bool() {
  return z.boolean("must be true or false");
}

export function integer(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  return z.number(message).int(message).min(min, message).max(max, message);
}

export function amount(min: number, max: number) {
  const message = `must be a number from ${min} to ${max}`;
  return z.number(message).min(min, message).max(max, message);
}

/** A number of gigabytes within bounds; the result is in bytes. */
export function gigabytes(min: number, max: number) {
  return amount(min, max).transform((value) => Math.round(value * 1e9));
}

/** One word of a list; the case of letters does not matter. */
export function oneOf<const T extends readonly string[]>(words: T) {
  const message = `must be ${inWords(words)}`;
  return z.string(message)
    .transform((text, context): T[number] => {
      const word = words.find((known) => known === text.toLowerCase());
      if (word === undefined) return fail(context, message);
      return word;
    }).meta({ enum: [...words] });
}

/** Text that is not empty and has no control characters. */
export function text(what: string) {
  const message = `must be ${what}`;
  // deno-lint-ignore no-control-regex -- control characters are what is refused
  return z.string(message).min(1, message).regex(/^[^\x00-\x1f\x7f]*$/, `${message}, without control characters`);
}

export function texts(what: string) {
  return z.array(text("text"), `must be a list of ${what}`);
}

/** What a bare number of a duration counts, in milliseconds. */
const UNITS = { milliseconds: 1, seconds: 1000 } as const;

/** A duration as a number in `unit`, or as text with its own unit (`5m`); the result is in milliseconds. */
export function duration(unit: keyof typeof UNITS, minMs: number, maxMs: number) {
  const message = `must be a duration from ${ms(minMs)} to ${ms(maxMs)}, ` +
    `as a number of ${unit} or with its unit, like 500ms, 30s, 5m, 2h`;
  return written(message, (value) => {
    const found = typeof value === "number" ? value * UNITS[unit] : durationMs(value, UNITS[unit]);
    return found >= minMs && found <= maxMs ? found : undefined;
  });
}

function durationMs(text: string, unit: number): number {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed) * unit;
  if (!/^\d+(\.\d+)? ?[a-z]+$/i.test(trimmed)) return NaN;
  // ms() gives undefined or NaN for an unknown unit, and both fail the bounds.
  return ms(trimmed as ms.StringValue) ?? NaN;
}

/** A size as a number of bytes, or as text with its unit (`10 MB`, `512 KiB`); the result is in bytes. */
export function size(min: number, max: number) {
  const message = `must be a size from ${min} bytes, as a number of bytes or with its unit, like 10 MB or 512 KiB`;
  return written(message, (value) => {
    const bytes = typeof value === "number" ? value : bytesOf(value);
    return bytes >= min && bytes <= max ? Math.floor(bytes) : undefined;
  });
}

/** What is said of a value that is no speed. */
export const SPEED_MESSAGE =
  "must be a speed of at least 1 kB/s, as a number of bytes per second or with its unit, like 10 MB/s, 500k, 100 Mbit/s; false means no limit";

/** A speed as bytes per second, or as text with its unit (`10 MB/s`, `500k`, `100 Mbit/s`); 0 and false mean no limit: null. */
export function speed() {
  return z.union([z.literal(false), z.number(), z.string()], SPEED_MESSAGE).transform((value, context) => {
    if (value === false || value === 0) return null;
    const perSecond = typeof value === "number" ? value : bytesOf(value.replace(/ ?(\/s|ps)$/i, ""));
    return perSecond >= 1000 && perSecond <= 1e12 ? Math.floor(perSecond) : fail(context, SPEED_MESSAGE);
  });
}

function bytesOf(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgt]?)(i?)(b|bytes?|bits?|)$/i.exec(text.trim());
  if (!match) return NaN;
  const [, number = "", prefix = "", binary = "", unit = ""] = match;
  const power = "kmgt".indexOf(prefix.toLowerCase() || "?") + 1;
  return Number(number) * (binary ? 1024 : 1000) ** power / (/^bit/i.test(unit) ? 8 : 1);
}

/** Mode bits as for chmod: `0664`, `"664"`; the result is the number. */
export function mode() {
  return written("must be permissions in octal, like 0664", (value) => {
    const digits = String(value).replace(/^0o/i, "");
    const bits = /^0?[0-7]{3,4}$/.test(digits) ? parseInt(digits, 8) : NaN;
    return bits <= 0o7777 ? bits : undefined;
  });
}

export function zone() {
  return text("a time zone, like Europe/Berlin").refine(isTimeZone, { message: "must be a time zone, like Europe/Berlin" });
}

export function timeOfDay(example: string) {
  const what = `a time of day, like ${example}`;
  return text(what).refine((text) => rolloverMinutes(text) !== null, { message: `must be ${what}` });
}

/** `a, b or c`, each in quotes. */
export function inWords(words: readonly string[]): string {
  const quoted = words.map((word) => `"${word}"`);
  return quoted.length < 2 ? quoted.join("") : `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`;
}

/** A number or a text that means something; undefined where it does not. */
export function written<T>(message: string, meaning: (value: number | string) => T | undefined) {
  return z.union([z.number(), z.string()], message).transform((value, context) => meaning(value) ?? fail(context, message));
}

/** Ends a transformation with what is wrong, maybe with a key inside the value. */
export function fail(context: z.RefinementCtx, message: string, path: (string | number)[] = []): never {
  context.addIssue({ code: "custom", message, path });
  return z.NEVER;
}

// From the keys of a file to the settings of the program. `file_patterns` is `filePatterns`, unless the entry gives another name, for
// instance because the unit changes (`min_file_age_seconds` is `minFileAgeMs`).

export type Shape = Readonly<Record<string, z.ZodType>>;

/** What an entry says of the setting besides its type. */
interface Setting<N extends string = string> {
  readonly name?: N;
  /** Resolved on this computer: a path of it, or a secret that may be the name of an environment variable. */
  readonly kind?: "path" | "secret";
  /** What the key is, for one that must be set. */
  readonly missing?: string;
  /** Other names of the key in a file. */
  readonly aliases?: readonly string[];
}

/** The settings that keys stand for; null is what was not set and has no default. */
export type SettingsOf<S extends Shape> = {
  readonly [K in keyof S as NameOf<K, S[K]>]: Plain<z.output<S[K]>>;
};

type NameOf<K, T> = T extends Named<infer N> ? N
  : K extends string ? CamelCase<K>
  : never;
type CamelCase<K extends string> = K extends `${infer First}_${infer Rest}` ? `${First}${Capitalize<CamelCase<Rest>>}` : K;
type Plain<V> = undefined extends V ? NonNullable<V> | null : V extends readonly (infer E)[] ? readonly E[] : V;

/** Only in the types: the name that {@linkcode setting} gave. */
declare const settingName: unique symbol;
type Named<N> = { readonly [settingName]: N };

const SETTINGS = z.registry<Setting>();

/** The entry of a key with more to say than its type; the help goes to zod's `meta()`. */
export function setting<T extends z.ZodType, const N extends string = never>(
  type: T,
  about: Setting<N> & z.GlobalMeta,
): [N] extends [never] ? T : T & Named<N> {
  const { name: _name, kind: _kind, missing: _missing, aliases: _aliases, ...meta } = about;
  const entry = type.meta(meta);
  SETTINGS.add(entry, about);
  return entry as [N] extends [never] ? T : T & Named<N>;
}

export function settingOf(key: string, type: z.ZodType): Setting & { readonly name: string } {
  return { name: key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()), ...SETTINGS.get(type) };
}
