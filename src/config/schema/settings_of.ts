/**
 * From the keys of a file to the settings of the program. A key's setting has its name in camel case (`file_patterns` is
 * `filePatterns`), unless its entry gives another, for instance because the unit changes (`min_file_age_seconds` is
 * `minFileAgeMs`).
 */
import * as z from "zod";

/** Keys with their types, as zod has them. */
export type Shape = Readonly<Record<string, z.ZodType>>;

/** What an entry says of the setting besides its type. */
interface Setting<N extends string = string> {
  readonly name?: N;
  /** Resolved on this computer: a path of it, or a secret that may be the name of an environment variable. */
  readonly kind?: "path" | "secret";
  /** What the key is, for one that must be set. */
  readonly missing?: string;
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
  const { name: _name, kind: _kind, missing: _missing, ...meta } = about;
  const entry = type.meta(meta);
  SETTINGS.add(entry, about);
  return entry as [N] extends [never] ? T : T & Named<N>;
}

/** What is known of a key's setting. */
export function settingOf(key: string, type: z.ZodType): Setting & { readonly name: string } {
  return { name: key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()), ...SETTINGS.get(type) };
}
