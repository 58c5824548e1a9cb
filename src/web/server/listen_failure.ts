/**
 * What keeps the page from being served, in words a person can act on: the port, the certificate, its key.
 *
 * @module
 */
import { Failure, failureRecord } from "../../domain/failure.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import type { WebSettings } from "../../domain/settings.ts";
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
      hint: `Correct ${key}, or let this account read the file.`,
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
    return failure("another program uses this port", "Choose another one with web.listen; port 0 takes any free one.");
  }
  if (faultOf(error) === "permission") {
    return failure("this account may not use this port", "Choose a port from 1024 on with web.listen.");
  }
  if (/KeyMismatch/.test(words)) {
    return failure(`web.tls_key "${tlsKey}" does not belong to web.tls_cert "${tlsCert}"`, "Name the key of this certificate.");
  }
  if (/certificate/i.test(words)) {
    return failure(`web.tls_cert "${tlsCert}" holds no usable certificate: ${words}`, "Name a certificate in PEM format.");
  }
  if (/\bkey\b/i.test(words)) {
    return failure(
      `web.tls_key "${tlsKey}" holds no usable key: ${words}`,
      "Name a private key in PEM format without a passphrase.",
    );
  }
  if (/assign requested address|not valid in its context|resolve|lookup/i.test(words)) {
    return failure(`this computer has no address "${host}"`, "Correct the address in web.listen.");
  }
  const { message, hint } = failureRecord(error);
  return failure(message, hint);
}
