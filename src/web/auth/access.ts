/**
 * Who may talk to the web server: which names of this computer it answers to (a page that rebinds its own DNS name to us does not
 * know them), which pages may call it, and which connections come from this account.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { System } from "../../system/system.ts";

/** What the server knows of its own address. */
export interface OwnAddress {
  readonly listen: string;
  /** The computer's name. */
  readonly hostname: string;
  /** True where it is served with TLS. */
  readonly secure: boolean;
  /** True where its TLS certificate names this host; always false without TLS. */
  readonly certifies: (host: string) => boolean;
}

/**
 * Answers only to names that nobody else can point at us: loopback, the address and name that are configured, what the certificate
 * names, and addresses in digits. The port is ignored: `ssh -L` changes it.
 */
export function isOwnHost(request: Request, own: OwnAddress): boolean {
  const asked = request.headers.get("host") ?? authority(request.url) ?? "";
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(asked);
  const host = (match?.[1] ?? match?.[2])?.toLowerCase();
  if (host === undefined) return false;
  const isAddress = host.includes(":") || /^\d{1,3}(?:\.\d{1,3}){3}$/.test(host);
  if (host === "localhost" || host === own.listen.toLowerCase() || isAddress) return true;
  const name = own.hostname.toLowerCase();
  return host === name || host === `${name}.local` || own.certifies(host);
}

/**
 * A request that a page of another origin makes a browser send is not ours; what is no browser sends neither header. Hono's `csrf`
 * lets every GET through, and what has either header right: here all of a request must be right.
 */
export function isOwnPage(request: Request, { secure }: Pick<OwnAddress, "secure">): boolean {
  const origin = request.headers.get("origin");
  const site = request.headers.get("sec-fetch-site");
  // Forms of a page that keeps its address to itself send "null", as sandboxed frames do; no page can set the other header.
  if (origin === "null") return site === "same-origin";
  if (origin !== null) {
    if (!URL.canParse(origin)) return false;
    const { protocol, host } = new URL(origin);
    const asked = request.headers.get("host") ?? authority(request.url);
    return protocol === (secure ? "https:" : "http:") && host === asked?.toLowerCase();
  }
  if (site === null || site === "same-origin" || site === "none") return true;
  // Following a link to the page shows it, and does nothing else.
  return request.method === "GET" && request.headers.get("sec-fetch-mode") === "navigate" &&
    request.headers.get("sec-fetch-dest") === "document";
}

/** True for a peer on this computer. */
export function isLoopback(address: string): boolean {
  return address === "::1" || /^(?:::ffff:)?127\.\d+\.\d+\.\d+$/.test(address);
}

/** Compares in a time that tells nothing about where texts differ, or how long the secret is. */
export function sameText(given: string, secret: string): boolean {
  return timingSafeEqual(createHash("sha256").update(given).digest(), createHash("sha256").update(secret).digest());
}

/** The token of `Authorization: Bearer …`, or null. Hono's `bearerAuth` refuses tokens that people may configure, those with a `!`, say. */
export function bearerOf(request: Request): string | null {
  return /^Bearer ([\x21-\x7e]{1,500})$/i.exec(request.headers.get("authorization") ?? "")?.[1] ?? null;
}

function authority(url: string): string | null {
  return URL.canParse(url) ? new URL(url).host : null;
}

/** The other end of a connection. */
interface Peer {
  readonly host: string;
  readonly port: number;
}

/** What asking for a connection's account needs. */
export type AccountSystem = Pick<System, "platform" | "uid" | "pid" | "which" | "run">;

/**
 * True where the program at the other end runs on this computer and under this account, or is root's. On Windows always: others cannot read the
 * arguments of a program there.
 */
export async function isOwnAccount(peer: Peer, port: number, system: AccountSystem, signal: AbortSignal): Promise<boolean> {
  const { platform, uid, pid } = system;
  if (platform === "windows" || uid === null) return true;
  const program = await system.which(platform === "linux" ? "grep" : "lsof");
  if (program === null) return false;
  if (platform === "darwin") {
    // Our own end of the connection has the same two ports.
    const args = ["-nP", "-a", "-t", "-u", `${uid}`, "-p", `^${pid}`, `-iTCP:${peer.port}`];
    return (await system.run({ program, args }, signal)).stdout.trim() !== "";
  }
  const pattern = ` (0{16}FFFF0000)?${kernelAddress(peer.host)}:${hex(peer.port, 4)} [0-9A-F]+:${hex(port, 4)} `;
  const args = ["-hE", pattern, "/proc/net/tcp", "/proc/net/tcp6"];
  const { stdout } = await system.run({ program, args }, signal);
  // Fields of proc_net_tcp(5): number, local and remote address, state, queues, timer, retransmits, account.
  return stdout.split("\n").map((line) => line.trim().split(/\s+/)[7]).some((owner) => owner === `${uid}` || owner === "0");
}

/** As /proc/net/tcp has it: groups of four bytes, the last one first. */
function kernelAddress(host: string): string {
  const bare = host.replace(/%.*$/, "").replace(/^::ffff:(?=\d+\.)/i, "");
  const bytes = bare.includes(":") ? wordsOf(bare).flatMap((word) => [word >> 8, word & 255]) : bare.split(".").map(Number);
  const groups = Array.from({ length: bytes.length / 4 }, (_, at) => bytes.slice(4 * at, 4 * at + 4).reverse());
  return groups.flat().map((byte) => hex(byte, 2)).join("");
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}

/** The eight words of an IPv6 address in any of its notations (RFC 4291, 2.2). */
export function wordsOf(address: string): number[] {
  const [front = [], back] = address.split("::", 2).map((part) => part.split(":").filter((word) => word !== "").flatMap(wordOf));
  if (back === undefined) return front;
  return [...front, ...new Array<number>(Math.max(0, 8 - front.length - back.length)).fill(0), ...back];
}

/** One word, or the two that an IPv4 address at the end stands for. */
function wordOf(text: string): number[] {
  if (!text.includes(".")) return [parseInt(text, 16)];
  const [a = 0, b = 0, c = 0, d = 0] = text.split(".").map(Number);
  return [a << 8 | b, c << 8 | d];
}
