/**
 * The methods ftp and ftps: the system's curl sends batches of files over one connection each, and everything else as quoted commands.
 */
import { bareHost } from "../../domain/names/host_name.ts";
import { printable } from "../../domain/names/printable.ts";
import { passwordIn } from "../../system/files/password_file.ts";
import type { FtpDestination } from "../../config/settings.ts";
import type { Method, MethodContext, Session } from "../method.ts";
import { namesSession } from "../naming.ts";
import { absoluteBase } from "../sftp/sftp_base.ts";
import { connections } from "./curl.ts";
import { findCurl } from "./curl.ts";
import type { FtpLogin } from "./curl_config.ts";
import { isYes, type Reply, replyTo } from "./dialogue.ts";
import { type Features, type FtpBase, modifiedAt, survey } from "./ftp_base.ts";
import { connectionFailure } from "./ftp_failures.ts";
import { attach, digest } from "./ftp_files.ts";
import { ftpNames } from "./ftp_names.ts";
import { ftpPut } from "./ftp_put.ts";
import { strangers } from "./ftp_listing.ts";

/** FTP in clear: the password, too. */
export const ftp: Method<"ftp"> = { name: "ftp", connect };
/** FTP over TLS, with certificates checked. */
export const ftps: Method<"ftps"> = { name: "ftps", connect };

async function connect(destination: FtpDestination, context: MethodContext, signal: AbortSignal): Promise<Session> {
  const base = await openBase(await loginTo(destination, context.system), destination, context, signal);
  const { curl } = base;
  const { method } = destination.transport;
  const { hash } = base.features;
  return {
    method,
    proof: hash === null ? "read_back" : "checksum",
    // FTP has no command that flushes.
    durability: "unconfirmed",
    sendsStagedAgain: false,
    hashesSource: false,
    resumes: true,
    about: `${curl.version}; ${
      hash === null ? "files are read back to verify them, as the server has no SHA-256" : `SHA-256 by the server (${hash})`
    }; FTP cannot flush files to the disk there`,
    attach: (create, signal, probe) => attach(base, create, signal, probe),
    survey: (paths, signal) => survey(base, paths, signal),
    digest: (paths, signal, calm) => digest(base, paths, signal, undefined, calm),
    modifiedAt: (path, signal) => modifiedAt(base, path, signal),
    put: ftpPut(base),
    ...namesSession(() => ftpNames(base)),
    // FTP flushes nothing, but what is found behind a link of another account is not delivered.
    async flush(paths, signal) {
      for (const strange of (await strangers(base, paths, "accept", signal)).values()) throw strange;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** @throws {Failure} where the file with the password cannot be used. */
async function loginTo(destination: FtpDestination, system: MethodContext["system"]): Promise<FtpLogin> {
  const { transport } = destination;
  return {
    host: bareHost(transport.host),
    port: transport.port,
    user: transport.user,
    password: transport.passwordFile === null
      ? transport.password ?? ""
      : await passwordIn("password_file", transport.passwordFile, system),
    tls: transport.method === "ftp" ? null : { mode: transport.tlsMode, ca: transport.tlsCa, only12: true },
    windows: system.platform === "windows",
  };
}

/** Logs in, and asks where relative paths begin and what the server can do. */
async function openBase(
  login: FtpLogin,
  destination: FtpDestination,
  context: MethodContext,
  signal: AbortSignal,
): Promise<FtpBase> {
  const found = await findCurl(login, destination.timeoutMs, context.system, signal);
  const { curl, take } = connections(found, destination.parallelTransfers, context.system);
  const began = context.system.monotonic();
  const [ended] = await curl.talk([{ kind: "commands", commands: ["FEAT", "PWD"] }], signal);
  const loginMs = context.system.monotonic() - began;
  if (ended!.exit === TLS_FAILED && login.tls?.only12) {
    return await openBase({ ...login, tls: { ...login.tls, only12: false } }, destination, context, signal);
  }
  const failure = connectionFailure(ended!, destination);
  if (failure) throw failure;
  const home = /^"((?:[^"]|"")*)"/.exec(replyTo(ended!, "PWD")?.lines.at(-1) ?? "")?.[1]?.replaceAll('""', '"') ?? "/";
  return {
    curl,
    connections: { take },
    loginMs,
    known: new Set(),
    destination,
    context,
    features: featuresOf(replyTo(ended!, "FEAT")),
    folder: absoluteBase(destination.basePath, home),
    where: `"${printable(destination.basePath)}" at ${destination.name}`,
    staging: null,
    cleared: new Set(),
  };
}

/** Curl's exit code where TLS cannot be started. */
const TLS_FAILED = 35;

/** What the lines of an answer to FEAT say. */
export function featuresOf(reply: Reply | null): Features {
  const lines = isYes(reply) ? reply!.lines.map((line) => line.trim().toUpperCase()) : [];
  const has = (pattern: RegExp) => lines.some((line) => pattern.test(line));
  return {
    mlst: has(/^MLST\b/),
    setsTimes: has(/^MFMT\b/) ? "MFMT" : "MDTM",
    utf8: has(/^UTF8\b/),
    hash: has(/^HASH\b.*\bSHA-256\b/) ? "HASH" : has(/^XSHA256\b/) ? "XSHA256" : null,
  };
}
