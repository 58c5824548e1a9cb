/**
 * Whether a connection comes from this account. What is handed to a browser as an argument can be read by every account of this computer.
 *
 * @module
 */
import type { System } from "../../system/system.ts";
import { wordsOf } from "./login_limit.ts";

/** The other end of a connection. */
export interface Peer {
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
