/** Passwords that are kept in files. */
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import type { System } from "../system.ts";

/**
 * The password in a file that only its owner may read: one line.
 *
 * @param key the key of the configuration that names the file
 * @throws {Failure} `configuration`, on hold, if it cannot be used.
 */
export async function passwordIn(
  key: string,
  file: string,
  system: Pick<System, "followedFacts" | "readText" | "platform">,
): Promise<string> {
  const refuse = (reason: string, hint: string, cause?: unknown) =>
    new Failure("configuration", `Cannot use ${key} "${printable(file)}": ${reason}`, { next: "hold", hint, cause });
  let text: string;
  try {
    const facts = await system.followedFacts(file);
    if (facts !== null && (facts.mode & 0o077) !== 0 && system.platform !== "windows") {
      throw refuse("other accounts can read it", `Run \`chmod 600 ${printable(file)}\`.`);
    }
    text = (await system.readText(file)).replace(/\r?\n$/, "");
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    throw refuse(reasonOf(cause), "Check the path, and that the account that runs image-transfer may read the file.", cause);
  }
  // deno-lint-ignore no-control-regex -- control characters are what is refused
  if (text !== "" && !/[\x00-\x1f\x7f]/.test(text)) return text;
  throw refuse("it must hold the password in one line", "Write nothing else into the file.");
}
