/**
 * How requests to a PocketBase server go wrong, and what a person can do about it.
 *
 * @module
 */
import { Failure, type FailureCode } from "../domain/failure.ts";
import { printable } from "../domain/names/printable.ts";
import { reasonOf } from "../domain/names/reason.ts";

/** So that callers tell a refusal from an outage. */
export class ServerFailure extends Failure {
  readonly retryAfterMs: number;
  /** It could not write, or its rules do not let this account create such a record: PocketBase says the same of both. */
  readonly isUnsaved: boolean;

  constructor(
    /** The HTTP status; 0 if there was no answer. */
    readonly status: number,
    /** What the server says of each field; empty if nothing. */
    readonly fields: Readonly<Record<string, string>>,
    code: FailureCode,
    message: string,
    options: ConstructorParameters<typeof Failure>[2] & {
      readonly isUnsaved?: boolean;
      /** How long it asks to be left alone. */
      readonly retryAfterMs?: number;
    } = {},
  ) {
    super(code, message, options);
    this.retryAfterMs = options.retryAfterMs ?? 0;
    this.isUnsaved = options.isUnsaved ?? false;
  }
}

/** An answer as it came. */
export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Why another program has answered in the place of PocketBase, which answers in JSON; null where none has. */
export function otherProgram(url: string, { status, headers, text }: Answered): ServerFailure | null {
  if (/\bjson\b/i.test(headers.get("content-type") ?? "") || status === 429) return null;
  const fail = (message: string, hint: string) =>
    new ServerFailure(502, {}, "interrupted", `Cannot use ${url}: ${message}`, { hint });
  const check = "Check pocketbase.url, and the proxy in front of PocketBase: it must pass on all of /api/.";
  if (status >= 300 && status < 400) {
    const to = printable(headers.get("location") ?? "another address").slice(0, 200);
    return fail(`it redirects to ${to}`, "Check pocketbase.url, and whether this network asks for a login of its own.");
  }
  if (status >= 502 && status <= 504) {
    return fail(`the proxy in front of it gets no answer (HTTP ${status})`, "Check that PocketBase is running.");
  }
  if (!/^\s*(<!doctype|<html|<head|<title|<body)/i.test(text)) {
    return status < 300 ? null : fail(`another program answers there (HTTP ${status})`, check);
  }
  const title = /<title[^>]*>([^<]{1,100})/i.exec(text)?.[1]?.trim() ?? "";
  const details = [title === "" ? "" : `"${printable(title)}"`, status < 300 ? "" : `HTTP ${status}`].filter((one) => one !== "");
  return fail(`a web page answers there${details.length === 0 ? "" : ` (${details.join(", ")})`}, not PocketBase`, check);
}

/** There was an answer, but none of PocketBase. */
export function nonsense(url: string, cause?: unknown): ServerFailure {
  return new ServerFailure(502, {}, "interrupted", `Cannot use ${url}: it does not respond like a PocketBase server`, {
    hint: "Check pocketbase.url.",
    cause,
  });
}

/** Its dialect is not spoken, and it does not keep from an account what it may not see. */
export function tooOld(url: string): ServerFailure {
  return new ServerFailure(400, {}, "configuration", `Cannot use ${url}: it is not PocketBase 0.32 or later`, {
    hint: "Older versions let the account of a computer read other computers' jobs. On the server: pocketbase update.",
  });
}

/** It is PocketBase, but without our collections. */
export function unprepared(url: string): ServerFailure {
  return new ServerFailure(404, {}, "configuration", `Cannot use ${url} yet: it lacks collections of image-transfer`, {
    hint: "Create them, as a superuser: image-transfer pocketbase setup --email root@example.org",
  });
}

/** There was no answer, or none that could be trusted. */
export function unreached(url: string, error: unknown, isLate: boolean): ServerFailure {
  // Deno 2.9 has the reason in the cause.
  const reason = `${reasonOf(error)} ${error instanceof Error ? reasonOf(error.cause ?? "") : ""}`;
  const certificate = CERTIFICATE_FAULTS.find(({ says }) => says.test(reason));
  if (certificate !== undefined && !isLate) {
    return new ServerFailure(0, {}, "certificate_refused", `Cannot trust ${url}: ${certificate.reason}`, {
      hint: certificate.hint,
      cause: error,
    });
  }
  const [code, what] = isLate ? ["timeout", "it did not answer in time"] as const : ["unreachable", "no connection"] as const;
  return new ServerFailure(0, {}, code, `Cannot reach ${url}: ${what}`, {
    hint: "Deliveries continue without it. Check the network, and that PocketBase is running.",
    cause: error,
  });
}

const RENEW = "Renew the certificate of the server, and check the clock of this computer.";
/** What rustls says of certificates, most telling first. */
const CERTIFICATE_FAULTS: readonly { readonly says: RegExp; readonly reason: string; readonly hint: string }[] = [
  { says: /certificate.*(not valid yet|NotValidYet)/i, reason: "its certificate is not valid yet", hint: RENEW },
  { says: /certificate.*expired/i, reason: "its certificate has expired", hint: RENEW },
  {
    says: /certificate.*(not valid for (any )?name|NotValidForName)/i,
    reason: "its certificate is for another host name",
    hint: "Use the name in the certificate in pocketbase.url.",
  },
  {
    says: /certificate: BadEncoding/,
    reason: "its certificate, or one of tls_ca, is damaged",
    hint: "Make the file of pocketbase.tls_ca again, in PEM form.",
  },
  {
    says: /certificate/i,
    reason: "its certificate is not from an authority that this computer trusts",
    hint: "For a certificate of your own, set pocketbase.tls_ca to a file with the authority that signed it.",
  },
];

/** The server said no. */
export function refused(
  url: string,
  answer: Answered,
  now: number,
): ServerFailure {
  const other = otherProgram(url, answer);
  if (other !== null) return other;
  const { status, headers, text } = answer;
  const { message, data } = saidOf(text);
  const fields = Object.fromEntries(
    Object.entries(data).map(([key, value]) => {
      const about = value as { message?: unknown } | null;
      return [key, String(about?.message ?? (typeof about === "object" ? message : value))];
    }),
  );
  const detail = Object.entries(fields).map(([key, said]) => `${key}: ${said}`).join("; ");
  const said = printable(detail === "" ? message : detail).slice(0, 300).replace(/\.$/, "");
  const why = said === "" ? "" : `: ${said}`;
  if (status === 404 && /^missing collection/i.test(message)) return unprepared(url);
  if (isUnsaved(status, message, fields)) {
    return new ServerFailure(status, fields, "interrupted", `${url} cannot save (HTTP ${status}${why})`, {
      hint: "Is the disk of the server full? Nothing is lost: it is sent again.",
      isUnsaved: true,
    });
  }
  return new ServerFailure(status, fields, codeOf(status), `${url} refused a request (HTTP ${status})${why}`, {
    retryAfterMs: retryAfter(headers.get("retry-after"), now),
  });
}

/** PocketBase answers 400 to writing that its database fails at, as to bad records, but then no field is to blame. */
function isUnsaved(status: number, message: string, fields: Readonly<Record<string, string>>): boolean {
  return (status === 400 || status >= 500) && Object.keys(fields).length === 0 &&
    /^failed to (create|update|delete|persist) record|^batch transaction failed|disk is full|readonly database/i.test(
      message,
    );
}

function codeOf(status: number): FailureCode {
  if (status === 401 || status === 403) return "permission_denied";
  return status >= 500 || status === 429 ? "interrupted" : "configuration";
}

function saidOf(text: string): { readonly message: string; readonly data: object } {
  try {
    const { message, data } = JSON.parse(text) ?? {};
    return { message: String(message ?? ""), data: typeof data === "object" && data !== null ? data : {} };
  } catch (error) {
    if (error instanceof SyntaxError) return { message: "", data: {} };
    throw error;
  }
}

/** No server is obeyed for longer. */
const LONGEST_WAIT_MS = 900_000;

/** Seconds, or a date (RFC 9110, 10.2.3). */
function retryAfter(told: string | null, now: number): number {
  if (told === null) return 0;
  const ms = /^\d+$/.test(told.trim()) ? Number(told) * 1000 : Date.parse(told) - now;
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(0, ms), LONGEST_WAIT_MS);
}
