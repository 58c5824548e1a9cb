/**
 * What all Workers of this program have in common on this side.
 *
 * @module
 */

/** An error as a Worker caught it: errors lose their class on the way. */
export interface ThrownThere {
  readonly name: string;
  readonly message: string;
  readonly code: string;
}

/**
 * Where a Worker's module is: from source, beside the module that starts it (`here` is its URL); when bundled, beside the bundle, as `<name>.js`
 * (the build bundles each Worker by itself and embeds it).
 */
export function workerUrl(name: string, here: string): string {
  return new URL(`./${name}${here.endsWith(".ts") ? ".ts" : ".js"}`, here).href;
}

/** The error with its class again. */
export function thrownThere({ name, message, code }: ThrownThere): Error {
  const classes: Readonly<Record<string, new (message: string) => Error>> = { ...Deno.errors };
  const error = new (classes[name] ?? Error)(message);
  return code === "" ? error : Object.assign(error, { code });
}
