/**
 * What keeps the page from being served, in words a person can act on: the port, the certificate, its key.
 *
 * @module
 */
import { Failure, failureRecord } from "../../domain/failure.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import type { WebSettings } from "../../config/settings.ts";
import { faultOf } from "../../system/fault.ts";
import type { System } from "../../system/system.ts";

/** Certificate and key as they are on disk now; null where the page is served without TLS. */
export async function readTls(
  { tlsCert, tlsKey }: WebSettings,
  system: Pick<System, "readText">,
): Promise<{ readonly cert: string; readonly key: string } | null> {
  if (tlsCert === null || tlsKey === null) return null;
  return { cert: await readPem("web.tls_cert", tlsCert, system), key: await readPem("web.tls_key", tlsKey, system) };
}

async function readPem(key: string, path: string, system: Pick<System, "readText">): Promise<string> {
  try {
    return await system.readText(path);
  } catch (cause) {
    throw new Failure("configuration", `cannot read ${key} "${path}": ${reasonOf(cause)}`, {
      hint: `Correct the path in ${key}, or give this account read access to the file.`,
      cause,
    });
  }
}

/** Where it was tried to listen: `127.0.0.1:9090`. */
export function placeOf({ host, port }: Pick<WebSettings, "host" | "port">): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** What listening with these settings failed of. */
export function listenFailure(settings: WebSettings, error: unknown): Failure {
  if (error instanceof Failure) return error;
  const { tlsCert, tlsKey, host } = settings;
  const failure = (message: string, hint: string) => new Failure("configuration", message, { hint, cause: error });
  const words = reasonOf(error);
  if (faultOf(error) === "busy") {
    return failure("another program is using this port", "Choose another port in web.listen, or port 0 for any free port.");
  }
  if (faultOf(error) === "permission") {
    return failure("this account is not allowed to use this port", "Choose port 1024 or higher in web.listen.");
  }
  if (/KeyMismatch/.test(words)) {
    return failure(
      `web.tls_key "${tlsKey}" does not match web.tls_cert "${tlsCert}"`,
      "Set web.tls_key to the key of this certificate.",
    );
  }
  if (/certificate/i.test(words)) {
    return failure(
      `web.tls_cert "${tlsCert}" does not contain a usable certificate: ${words}`,
      "Set web.tls_cert to a certificate in PEM format.",
    );
  }
  if (/\bkey\b/i.test(words)) {
    return failure(
      `web.tls_key "${tlsKey}" does not contain a usable key: ${words}`,
      "Set web.tls_key to a private key in PEM format without a passphrase.",
    );
  }
  if (/assign requested address|not valid in its context|resolve|lookup/i.test(words)) {
    return failure(`this computer has no address "${host}"`, "Correct the address in web.listen.");
  }
  const { message, hint } = failureRecord(error);
  return failure(message, hint);
}
