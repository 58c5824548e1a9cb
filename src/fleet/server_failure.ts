/** How requests to a PocketBase server go wrong, and what a person can do about it. */
import * as z from "zod";
import { type Cause, CAUSES, failureParts } from "../domain/causes.ts";
import { Failure, type FailureCode } from "../domain/failure.ts";
import { jsonOf } from "../domain/json.ts";
import { printable } from "../domain/names/printable.ts";
import { reasonOf } from "../domain/names/reason.ts";

/** So that callers tell a refusal from an outage. */
export class ServerFailure extends Failure {
  readonly fields: Readonly<Record<string, string>>;
  readonly retryAfterMs: number;
  /** It could not write, or its rules do not let this account create such a record: PocketBase says the same of both. */
  readonly isUnsaved: boolean;

  constructor(
    /** The HTTP status; 0 if there was no answer. */
    readonly status: number,
    failure: ConstructorParameters<typeof Failure>,
    about: {
      /** What the server says of each field. */
      readonly fields?: Readonly<Record<string, string>>;
      readonly isUnsaved?: boolean;
      /** How long it asks to be left alone. */
      readonly retryAfterMs?: number;
    } = {},
  ) {
    super(...failure);
    this.fields = about.fields ?? {};
    this.retryAfterMs = about.retryAfterMs ?? 0;
    this.isUnsaved = about.isUnsaved ?? false;
  }
}

/** An answer as it came. */
interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Why another program has answered in the place of PocketBase, which answers in JSON; null where none has. */
export function otherProgram(url: string, { status, headers, text }: Answered): ServerFailure | null {
  if (/\bjson\b/i.test(headers.get("content-type") ?? "") || status === 429) return null;
  const fail = (cause: Cause, words: Readonly<Record<string, string>>) =>
    new ServerFailure(502, failureParts(cause, `Cannot use ${url}`, { words: { status: String(status), ...words } }));
  if (status >= 300 && status < 400) {
    const address = printable(headers.get("location") ?? "another address").slice(0, 200);
    return fail(CAUSES.server_redirects, { address });
  }
  if (status >= 502 && status <= 504) return fail(CAUSES.proxy_unanswered, {});
  if (!/^\s*(<!doctype|<html|<head|<title|<body)/i.test(text)) {
    return status < 300 ? null : fail(CAUSES.other_program, {});
  }
  const title = /<title[^>]*>([^<]{1,100})/i.exec(text)?.[1]?.trim() ?? "";
  const details = [title === "" ? "" : `"${printable(title)}"`, status < 300 ? "" : `HTTP ${status}`].filter((one) => one !== "");
  return fail(CAUSES.web_page, { details: details.length === 0 ? "" : ` (${details.join(", ")})` });
}

/** There was an answer, but none of PocketBase. */
export function nonsense(url: string, cause?: unknown): ServerFailure {
  return new ServerFailure(502, failureParts(CAUSES.not_pocketbase, `Cannot use ${url}`, { cause }));
}

/** An answer, or a part of one, in the shape that it must have. @throws {ServerFailure} where it has another one. */
export function understood<Shape extends z.ZodType>(shape: Shape, answer: unknown, url: string): z.output<Shape> {
  const parsed = shape.safeParse(answer);
  if (!parsed.success) throw nonsense(url, parsed.error);
  return parsed.data;
}

/** Its dialect is not spoken, and it does not keep from an account what it may not see. */
export function tooOld(url: string): ServerFailure {
  return new ServerFailure(400, failureParts(CAUSES.pocketbase_too_old, `Cannot use ${url}`));
}

/** It is PocketBase, but without our collections. */
export function unprepared(url: string): ServerFailure {
  return new ServerFailure(404, failureParts(CAUSES.pocketbase_unprepared, `Cannot use ${url} yet`));
}

/** There was no answer, or none that could be trusted. */
export function unreached(url: string, error: unknown, isLate: boolean): ServerFailure {
  // Deno 2.9 has the reason in the cause.
  const reason = `${reasonOf(error)} ${error instanceof Error ? reasonOf(error.cause ?? "") : ""}`;
  const certificate = isLate ? undefined : CERTIFICATE_FAULTS.find(([says]) => says.test(reason));
  const parts = certificate === undefined
    ? failureParts(isLate ? CAUSES.pocketbase_late : CAUSES.pocketbase_unreachable, `Cannot reach ${url}`, { cause: error })
    : failureParts(certificate[1], `Cannot trust ${url}`, { cause: error });
  return new ServerFailure(0, parts);
}

/** What rustls says of certificates, most telling first. */
const CERTIFICATE_FAULTS: readonly (readonly [RegExp, Cause])[] = [
  [/certificate.*(not valid yet|NotValidYet)/i, CAUSES.certificate_too_early],
  [/certificate.*expired/i, CAUSES.certificate_expired],
  [/certificate.*(not valid for (any )?name|NotValidForName)/i, CAUSES.certificate_name],
  [/certificate: BadEncoding/, CAUSES.certificate_damaged],
  [/certificate/i, CAUSES.certificate_untrusted],
];

/** The server said no. */
export function refused(url: string, answer: Answered, now: number): ServerFailure {
  const other = otherProgram(url, answer);
  if (other !== null) return other;
  const { status, headers, text } = answer;
  const { message: told, data } = (jsonOf(text) ?? {}) as Readonly<Record<string, unknown>>;
  const message = String(told ?? "");
  const fields = Object.fromEntries(
    Object.entries(typeof data === "object" && data !== null ? data : {}).map(([key, value]) => {
      const about = value as { message?: unknown } | null;
      return [key, String(about?.message ?? (typeof about === "object" ? message : value))];
    }),
  );
  const detail = Object.entries(fields).map(([key, said]) => `${key}: ${said}`).join("; ");
  const said = printable(detail === "" ? message : detail).slice(0, 300).replace(/\.$/, "");
  const why = said === "" ? "" : `: ${said}`;
  if (status === 404 && /^missing collection/i.test(message)) return unprepared(url);
  if (isUnsaved(status, message, fields)) {
    const parts = failureParts(CAUSES.pocketbase_cannot_save, `${url} cannot save (HTTP ${status}${why})`);
    return new ServerFailure(status, parts, { fields, isUnsaved: true });
  }
  const retryAfterMs = retryAfter(headers.get("retry-after"), now);
  return new ServerFailure(status, [codeOf(status), `${url} refused a request (HTTP ${status})${why}`], { fields, retryAfterMs });
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

/** No server is obeyed for longer. */
const LONGEST_WAIT_MS = 900_000;

/** Seconds, or a date (RFC 9110, 10.2.3). */
function retryAfter(told: string | null, now: number): number {
  if (told === null) return 0;
  const ms = /^\d+$/.test(told.trim()) ? Number(told) * 1000 : Date.parse(told) - now;
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(0, ms), LONGEST_WAIT_MS);
}
