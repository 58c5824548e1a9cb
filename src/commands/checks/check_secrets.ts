/**
 * What `doctor` and `config validate` say of a password in a configuration file that other accounts can read.
 *
 * @module
 */
import type { Settings } from "../../config/settings.ts";
import { printable } from "../../domain/names/printable.ts";
import type { System } from "../../system/system.ts";
import { type Finding, HERE, warning } from "./finding.ts";

/** A key `password` with a value of its own; `$NAME` is taken from the environment. */
const PASSWORD = /^(?!\s*#).*?\bpassword["']?\s*[:=]\s*["']?[^\s"'$#]/m;
const MOST_BYTES = 1024 * 1024;

export async function checkSecrets(
  { file }: Pick<Settings, "file">,
  system: Pick<System, "platform" | "followedFacts" | "read">,
): Promise<Finding[]> {
  if (file === null || system.platform === "windows") return [];
  const facts = await system.followedFacts(file);
  if (facts === null || (facts.mode & 0o044) === 0) return [];
  const text = new TextDecoder().decode(await system.read(file, 0, MOST_BYTES));
  if (!PASSWORD.test(text)) return [];
  const what = `Other accounts can read the password in ${printable(file)}`;
  return [warning(HERE, what, `Run \`chmod 600 ${printable(file)}\`, or use password_file or password: $NAME instead.`)];
}
