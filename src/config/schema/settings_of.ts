/**
 * From the keys of a file to the names in the program. A key has its name in camel case (`file_patterns` is `filePatterns`),
 * unless its entry gives another, for instance because the unit changes (`min_file_age_seconds` is `minFileAgeMs`).
 *
 * @module
 */
import * as z from "zod";
import { UNBUILT } from "./not_yet.ts";

/** Keys with their types, as zod has them. */
export type Shape = Readonly<Record<string, z.ZodType>>;

/** The settings that keys stand for; null is what was not set and has no default. Keys of features not built yet have none. */
export type SettingsOf<S extends Shape> = {
  readonly [K in keyof S as NameOf<K, S[K]>]: Plain<z.output<S[K]>>;
};

type NameOf<K, T> = K extends keyof typeof UNBUILT ? never
  : T extends Named<infer N> ? N
  : K extends string ? CamelCase<K>
  : never;
type CamelCase<K extends string> = K extends `${infer First}_${infer Rest}` ? `${First}${Capitalize<CamelCase<Rest>>}` : K;
type Plain<V> = undefined extends V ? NonNullable<V> | null : V extends readonly (infer E)[] ? readonly E[] : V;

/** Only in the types: the name that {@linkcode named} gave. */
declare const settingName: unique symbol;
type Named<N extends string> = { readonly [settingName]: N };

const NAMES = z.registry<{ readonly name: string }>();

/** The entry of a key whose setting is not called like the key. */
export function named<const N extends string, T extends z.ZodType>(name: N, type: T): T & Named<N> {
  NAMES.add(type, { name });
  return type as T & Named<N>;
}

/**
 * The settings of these keys in a checked section, with defaults for what is not set. A required key that is missing
 * becomes an empty text: whoever resolves the section reports it.
 */
export function settingsOf<S extends Shape>(shape: S, section: Readonly<Record<string, unknown>>): SettingsOf<S> {
  const settings = Object.entries(shape).filter(([key]) => !(key in UNBUILT)).map(([key, type]) => {
    const { success, data } = type.safeParse(section[key]);
    return [NAMES.get(type)?.name ?? camelCase(key), success ? data ?? null : ""];
  });
  return Object.fromEntries(settings) as SettingsOf<S>;
}

function camelCase(key: string): string {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
