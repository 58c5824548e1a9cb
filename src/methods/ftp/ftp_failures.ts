/** What curl's exit codes and a server's replies mean. */
import { type Cause, CAUSES, failure } from "../../domain/causes.ts";
import type { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { meaningOf } from "../ssh/error_texts.ts";
import { type Ended, type Exchange, GREETING, isYes, lastReply, type Reply } from "./dialogue.ts";

/** What is needed of a destination to explain a failure. */
interface Reached {
  readonly name: string;
  readonly transport: {
    readonly method: string;
    readonly host: string;
    readonly port: number | null;
    readonly tlsMode?: "explicit" | "implicit";
  };
}

/** The exit codes of curl that concern the connection, and so all files (curl(1), EXIT CODES). */
const EXITS: Readonly<Record<number, Cause>> = {
  2: CAUSES.curl_too_old,
  5: CAUSES.no_proxy,
  6: CAUSES.unknown_host,
  7: CAUSES.nobody_listens,
  8: CAUSES.not_ftp,
  27: CAUSES.curl_memory,
  28: CAUSES.host_silent,
  35: CAUSES.no_tls,
  51: CAUSES.ftp_certificate_name,
  60: CAUSES.ftp_certificate,
  64: CAUSES.tls_not_offered,
  67: CAUSES.ftp_login_refused,
  77: CAUSES.tls_ca_unreadable,
};

/** Replies that concern the connection whenever they come. */
const REPLIES: Readonly<Record<number, Cause>> = {
  421: CAUSES.ftp_busy,
  425: CAUSES.no_data_connection,
  426: CAUSES.data_connection_lost,
  522: CAUSES.tls_session_unknown,
};

const TLS_NEEDED =
  /must use encryption|use (explicit |implicit )?(ftps|tls|ssl)|(ssl|tls)(\/(ssl|tls))? (is )?required|cleartext sessions|AUTH (TLS|SSL) first/i;
const BUSY = /too many|maximum|limit|try again|temporar/i;

/** Why a transfer ended, where that concerns all files; null where it is the file's own. */
export function connectionFailure(ended: Ended, reached: Reached): Failure | null {
  const cause = connectionCause(ended, reached);
  if (cause === null) return null;
  const last = lastReply(ended);
  const said = last !== null && !isYes(last) ? replyText(last) : printable(ended.error).slice(0, 300);
  return failure(cause, `Cannot use ${printable(reached.transport.host)}`, { said, words: { service: "FTP" } });
}

function connectionCause(ended: Ended, reached: Reached): Cause | null {
  if (ended.exit === 0) return null;
  const { exchanges, exit } = ended;
  const told = exchanges.flatMap(({ replies }) => replies);
  const text = told.filter(({ code }) => code >= 400).flatMap(({ lines }) => lines).join("\n");
  if (TLS_NEEDED.test(text) && reached.transport.method === "ftp") return CAUSES.tls_needed;
  const last = lastReply(ended);
  if (last && REPLIES[last.code]) return REPLIES[last.code]!;
  const login = exchanges.find(({ command }) => /^(USER|PASS) /.test(command) || command === "PASS");
  const refused = login?.replies.some(({ code }) => code >= 400);
  if (exit === 67 || refused) {
    // "Too many users" is said with the same number as a wrong password.
    return BUSY.test(text) ? CAUSES.ftp_busy : CAUSES.ftp_login_refused;
  }
  if (dataConnectionOf(exchanges) !== null && [7, 28, 13, 14, 15, 30].includes(exit)) {
    return CAUSES.no_data_connection;
  }
  // Once someone has answered, a silence is an interruption.
  if (exchanges.some(({ command, replies }) => command !== GREETING && replies.length > 0)) {
    if ([18, 52, 55, 56, 8, 16, 43].includes(exit) && (last === null || isYes(last))) return CAUSES.connection_lost;
    if (exit === 28) return CAUSES.server_silent;
    if (exit === 12) return CAUSES.no_data_connection;
  } else if (exit === 28 && exchanges.some(({ command }) => command === GREETING)) {
    return CAUSES.not_ftp;
  } else if (exit === 56 || exit === 52 || exit === 55) return CAUSES.connection_lost;
  return EXITS[exit] ?? null;
}

/** The server takes no more connections: it says so to the login. */
export function refusesMore({ exit, exchanges }: Ended): boolean {
  if (exit === 0 || !exchanges.every(({ command }) => command === GREETING || /^(AUTH|USER|PASS)\b/.test(command))) return false;
  const reply = lastReply({ exchanges });
  return reply !== null && (reply.code === 421 || (reply.code >= 400 && BUSY.test(reply.lines.join("\n"))));
}

/**
 * The exchange that asked for a connection for data, where nothing came after it. Curl asks a second time where TLS fails on it; what is
 * then answered may be why a server has refused the file and closed the first.
 */
function dataConnectionOf(exchanges: readonly Exchange[]): Exchange | null {
  const [before, last] = exchanges.slice(-2);
  if (last === undefined || !/^(EPSV|PASV|EPRT|PORT)\b/.test(last.command)) return null;
  const answersBefore = before !== undefined && /^(STOR|APPE|RETR) /.test(before.command) && before.replies.length === 0 &&
    last.replies.some(({ code }) => code >= 400);
  return answersBefore ? null : last;
}

/** What a reply means that refuses something below the base path; null where it says nothing that is known. */
export function meaningOfReply(reply: Reply | null): Cause | null {
  if (reply === null) return null;
  const text = reply.lines.join("\n");
  // So proftpd says that nothing more could be written.
  if (reply.code === 451 && /input\/output error/i.test(text)) return CAUSES.full_or_failing;
  const known = meaningOf(text);
  if (known) return known;
  if (reply.code === 452 || reply.code === 552) return CAUSES.full;
  if (/failure writing to local file|error during write|write error|insufficient|storage/i.test(text)) return CAUSES.full;
  const isAboutAName = /name/i.test(text) && /invalid|illegal|not allowed|prohibited/i.test(text);
  return (reply.code === 550 || reply.code === 553) && isAboutAName ? CAUSES.server_refuses_name : null;
}

/** What the server refused; `what` completes the sentence `Cannot …`. */
export function refused(what: string, reply: Reply | null, exit = 0, error = ""): Failure {
  const said = reply === null ? printable(error) || `curl's exit code ${exit}` : replyText(reply);
  return failure(meaningOfReply(reply) ?? CAUSES.refused_there, `Cannot ${what}`, { said });
}

/** A reply in the server's words. */
export function replyText({ code, lines }: Reply): string {
  return printable(`${code} ${lines.at(-1) ?? ""}`).trim().slice(0, 300);
}
