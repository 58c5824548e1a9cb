/**
 * What rsync and scp have in common: a connection with a shell, and a Session whose `put` prepares the staging folder,
 * carries lot by lot, and finds out which file it was when the tool reports trouble.
 *
 * @module
 */
import { Failure, type FailureRecord, failureRecord } from "../../domain/failure.ts";
import type { Destination } from "../../domain/job.ts";
import { printable } from "../../domain/names/printable.ts";
import { type Lot, lotsOf } from "../links.ts";
import type { MethodContext, Parcel, PutOutcome, Session } from "../method.ts";
import { type ShellSide, shellSide } from "./shell_side.ts";
import { aboutTools, probeShell, type ShellTools } from "./shell_tools.ts";
import { sourceFault } from "../source_fault.ts";
import { connectSsh, type SshConnection } from "../ssh/ssh_connection.ts";

/** What carries one lot. */
export interface Carrier {
  readonly method: "rsync" | "scp";
  readonly about: string;
  /** It goes on with what an earlier attempt left. */
  readonly takesOver: boolean;
  /**
   * Sends a lot once `prepared` says that its staging folder is there. Gives null when all went well, else what the tool
   * said of single files by name; files it said nothing about are looked for at the destination.
   *
   * @throws {Failure} when the batch as a whole is lost.
   */
  carry(lot: Lot, prepared: Promise<void>, onBytes: OnBytes, signal: AbortSignal): Promise<Complaints | null>;
  /** Called when all lots are there. */
  readonly finish?: (parcels: readonly Parcel[], signal: AbortSignal) => Promise<void>;
  /** Called when nothing urgent is to be done: after attaching, and after each publication. Never throws. */
  readonly makeReady?: () => void;
  readonly close?: () => Promise<void>;
}

/** `onBytes(name, bytes)`: how far the link of this name is. */
export type OnBytes = (name: string, bytes: number) => void;

/** What a tool said of single files, by the name of their link. */
export type Complaints = ReadonlyMap<string, Failure>;

/** What a carrier is made of. */
export interface CarrierParts {
  readonly destination: Destination;
  readonly context: MethodContext;
  readonly connection: SshConnection;
  readonly tools: ShellTools;
  readonly side: ShellSide;
}

/** Connects, probes, and gives a Session with this carrier. */
export async function openShellSession(
  destination: Destination,
  context: MethodContext,
  signal: AbortSignal,
  carrierOf: (parts: CarrierParts) => Promise<Carrier>,
): Promise<Session> {
  await using stack = new AsyncDisposableStack();
  const connection = stack.use(await connectSsh(destination, context, signal));
  const tools = await probeShell(connection, signal);
  const side = shellSide(connection, tools, context);
  const carrier = await carrierOf({ destination, context, connection, tools, side });
  if (carrier.close) stack.defer(carrier.close);
  const rest = stack.move();
  const { survey, digest, flush, leftovers, sweep } = side;
  return {
    survey,
    digest,
    flush,
    leftovers,
    sweep,
    async attach(create, signal, probe) {
      const mount = await side.attach(create, signal, probe);
      carrier.makeReady?.();
      return mount;
    },
    async publish(items, signal) {
      const outcomes = await side.publish(items, signal);
      carrier.makeReady?.();
      return outcomes;
    },
    method: carrier.method,
    resumes: carrier.takesOver,
    proof: "checksum",
    about: `${carrier.about}; ${aboutTools(tools)}`,
    put: (parcels, onBytes, signal) => put(parcels, onBytes, signal, carrier, side, context.system),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

async function put(
  parcels: readonly Parcel[],
  onBytes: (index: number, bytes: number) => void,
  signal: AbortSignal,
  carrier: Carrier,
  side: ShellSide,
  system: MethodContext["system"],
): Promise<PutOutcome[]> {
  if (parcels.length === 0) return [];
  const outcomes: PutOutcome[] = parcels.map(() => ({ put: true }));
  // What is not gone on with stays where it is: a server of that attempt may still be writing into it.
  const prepared = side.prepare(carrier.takesOver ? parcels : parcels.map(({ staged }) => ({ staged })), signal);
  prepared.catch(() => undefined); // Heard by the carrier, when its own preparations are done as well.
  for (const lot of lotsOf(parcels)) {
    const indices = new Map(lot.parcels.map(({ name, index }) => [name, index]));
    const log: OnBytes = (name, bytes) => {
      const index = indices.get(name);
      if (index !== undefined) onBytes(index, bytes);
    };
    const complaints = await carrier.carry(lot, prepared, log, signal);
    if (complaints === null) {
      for (const { parcel, index } of lot.parcels) onBytes(index, parcel.source.size);
      continue;
    }
    const stat = await side.survey(lot.parcels.map(({ parcel }) => parcel.staged), signal);
    for (const [at, { parcel, index, name }] of lot.parcels.entries()) {
      const found = stat[at] ?? null;
      const said = complaints.get(name);
      if (said === undefined && found?.kind === "file" && found.bytes === parcel.source.size) {
        onBytes(index, found.bytes);
        continue;
      }
      // A tool passes over what is no file any more without a word.
      const known = said ?? await sourceFault(parcel.source.absolutePath, false, system, signal);
      outcomes[index] = { put: false, failure: known === null ? unexplained(parcel, carrier) : failureRecord(known) };
    }
  }
  await carrier.finish?.(parcels.filter((_, index) => outcomes[index]?.put), signal);
  return outcomes;
}

/** The tool left a file out without naming it. */
function unexplained({ source }: Parcel, { method }: Carrier): FailureRecord {
  return failureRecord(
    new Failure(
      "mismatch",
      `Cannot send "${printable(source.path)}": ${method} did not send all of it, and did not say why`,
      {
        hint: "It is sent again; it may have changed meanwhile. If it persists, check the disks of both ends.",
      },
    ),
  );
}
