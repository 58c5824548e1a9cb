/**
 * What keeps the page from being served, in words a person can act on: the port, the certificate, its key.
 *
 * @module
 */
import { type Cause, CAUSES, filled } from "../../domain/causes.ts";
import { Failure, failureRecord } from "../../domain/failure.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import type { WebSettings } from "../../config/settings.ts";
import { faultOf } from "../../system/fault.ts";
import type { Fault, System } from "../../system/system.ts";

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
  const reason = reasonOf(error);
  const cause = LISTEN_FAULTS[faultOf(error)] ?? OTHER_FAULTS.find(([pattern]) => pattern.test(reason))?.[1];
  if (cause !== undefined) {
    const { tlsCert, tlsKey, host } = settings;
    const { code, reason: message, hint } = filled(cause, { reason, cert: tlsCert ?? "", key: tlsKey ?? "", host });
    return new Failure(code, message, { hint, cause: error });
  }
  const { message, hint } = failureRecord(error);
  return new Failure("configuration", message, { hint, cause: error });
}

const LISTEN_FAULTS: Partial<Readonly<Record<Fault, Cause>>> = { busy: CAUSES.port_taken, permission: CAUSES.port_denied };

const OTHER_FAULTS: readonly (readonly [RegExp, Cause])[] = [
  [/KeyMismatch/, CAUSES.tls_key_mismatch],
  [/certificate/i, CAUSES.tls_cert_unusable],
  [/\bkey\b/i, CAUSES.tls_key_unusable],
  [/assign requested address|not valid in its context|resolve|lookup/i, CAUSES.no_such_address],
];
