/**
 * The certificates of `pocketbase.tls_ca`. They are read again for each request, so that a renewed file counts at once.
 *
 * @module
 */
import { Failure } from "../domain/failure.ts";
import { printable } from "../domain/names/printable.ts";
import { reasonOf } from "../domain/names/reason.ts";
import type { RemoteQuestion, System } from "../system/system.ts";

/** What a request says of them; nothing where no file is set. @throws {Failure} `configuration` if the file cannot be used. */
export async function trustedIn(file: string | null, system: Pick<System, "readText">): Promise<Pick<RemoteQuestion, "ca">> {
  if (file === null) return {};
  const refuse = (reason: string, cause?: unknown) =>
    new Failure("configuration", `The certificates of tls_ca cannot be read: ${printable(file)}: ${reason}`, {
      hint: "Check that tls_ca is a file with certificates in PEM form, which this account may read.",
      cause,
    });
  let ca: string;
  try {
    ca = await system.readText(file);
  } catch (cause) {
    throw refuse(reasonOf(cause), cause);
  }
  if (!ca.includes("-----BEGIN CERTIFICATE-----")) throw refuse("there is no certificate in it");
  return { ca };
}
