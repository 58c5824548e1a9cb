/**
 * Fills the placeholders `{{name}}` of a template in `service/`, and writes values so that each format reads back exactly what was meant.
 */
import { XML } from "../config/read/service_mark.ts";
import { Failure } from "../domain/failure.ts";

/**
 * Puts values in; they are written as they are, so escape them first. A placeholder that is alone on its line and gets an empty
 * value removes the line.
 *
 * @throws {Error} when a placeholder has no value, or a value no placeholder: template and plan do not fit.
 */
export function fillTemplate(template: string, values: Readonly<Record<string, string>>): string {
  const used = new Set<string>();
  const valueOf = (name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined) throw new Error(`The template has a placeholder "${name}" without a value`);
    used.add(name);
    return value;
  };
  const text = template.replaceAll("\r\n", "\n")
    .replace(/^[ \t]*\{\{(\w+)\}\}\n/gm, (line, name) => valueOf(name) === "" ? "" : line)
    .replace(/\{\{(\w+)\}\}/g, (_, name) => valueOf(name));
  const unused = Object.keys(values).filter((name) => !used.has(name));
  if (unused.length > 0) throw new Error(`The template has no placeholder for ${unused.join(", ")}`);
  return text;
}

/** Free text in a unit (`Description=`): one line, `%` is no specifier. */
export function unitText(text: string): string {
  return oneLine(text).replaceAll("%", "%%").replace(/\\+$/, "");
}

/**
 * One word of a list or command line in a unit: quoted, `%` is no specifier.
 *
 * @throws {Failure} for control characters, which a unit cannot hold.
 */
export function unitWord(word: string): string {
  const text = mustBePrintable(word).replaceAll("%", "%%");
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `"${text.replace(/["\\]/g, "\\$&")}"`;
}

/** One word of `ExecStart=`: as {@linkcode unitWord}, and `$` is no variable. */
export function unitArgument(word: string): string {
  return unitWord(word).replaceAll("$", "$$$$");
}

/** Text in XML, in elements and in attributes. @throws {Failure} for control characters, which XML cannot hold. */
export function xmlText(text: string): string {
  return mustBePrintable(text).replace(/[&<>"']/g, (char) => XML[char]!);
}

/** An argument of a Windows command line, as programs take it apart (a quote cannot be part of a Windows path). */
export function windowsArgument(word: string): string {
  return `"${mustBePrintable(word).replace(/(\\*)"/g, '$1$1\\"').replace(/\\+$/, "$&$&")}"`;
}

/** Text for people without line breaks and control characters. */
export function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex -- they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f]+/g, " ").trim();
}

function mustBePrintable(text: string): string {
  // deno-lint-ignore no-control-regex -- they are what is looked for
  if (!/[\u0000-\u001f\u007f\ufffe\uffff]/.test(text)) return text;
  throw new Failure("configuration", `Cannot use "${oneLine(text)}" in a service definition: it contains a control character`, {
    hint: "Rename that file or folder.",
  });
}
