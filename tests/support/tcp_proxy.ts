/** A TCP proxy of our own on loopback, to make a link bad on purpose: round-trip delay, rate, cuts, black holes. */

export interface ProxyOptions {
  /** Added round-trip time, milliseconds; half each way. */
  readonly roundTripMs?: number;
  /** Bytes per second each way. */
  readonly rate?: number;
  /** Bytes of one connection that are under way at most, each way: a TCP window. 16 MiB unless told. */
  readonly windowBytes?: number;
  /** Changes bytes on their way to the client, as many as they are. */
  readonly spoil?: (piece: Uint8Array) => void;
  /** The same on their way to the server. */
  readonly spoilUp?: (piece: Uint8Array) => void;
}

export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Bytes so far: `up` towards the server, `down` towards the client. */
  readonly counters: { readonly up: number; readonly down: number; readonly connections: number; readonly refused: number };
  /** Breaks every connection now; new ones work. */
  cut(): void;
  /** Breaks the connection with this number; the first is 1. */
  cutOne(number: number): void;
  /** Breaks every connection as soon as this many more bytes went up. */
  cutAfter(bytes: number): void;
  /** Swallows everything from now on, without closing anything; connections are accepted and stay silent. */
  blackHole(): void;
  /** Ends the black hole for connections made from now on. */
  heal(): void;
  /** Breaks every connection, and refuses new ones until {@linkcode heal}. */
  refuse(): void;
  /** Refuses new connections until {@linkcode heal}. */
  refuseNew(): void;
}

/** A port that nobody listens on at this moment. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Starts a proxy in front of `port` on loopback. */
export function startProxy(port: number, options: ProxyOptions = {}): TcpProxy {
  const open = new Set<Deno.TcpConn>();
  const clients: Deno.TcpConn[] = [];
  const windowBytes = options.windowBytes ?? 16 << 20;
  const carrying = new Set<Promise<void>>();
  const counters = { up: 0, down: 0, connections: 0, refused: 0 };
  let hole = false;
  let refusing = false;
  let cutAt = Infinity;
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });

  function close(connection: Deno.TcpConn): void {
    if (open.delete(connection)) connection.close();
  }
  function cut(): void {
    cutAt = Infinity;
    for (const connection of open) close(connection);
  }

  async function carry(client: Deno.TcpConn): Promise<void> {
    open.add(client);
    if (refusing) {
      counters.refused++;
      return close(client);
    }
    counters.connections++;
    clients.push(client);
    const server = await Deno.connect({ hostname: "127.0.0.1", port });
    open.add(server);
    const swallow = hole;
    server.setNoDelay(true);
    client.setNoDelay(true);
    await Promise.all([
      pump(client, server, "up", () => swallow || hole),
      pump(server, client, "down", () => swallow || hole),
    ]);
    close(client);
    close(server);
  }

  async function pump(from: Deno.TcpConn, to: Deno.TcpConn, way: "up" | "down", swallowing: () => boolean): Promise<void> {
    const delayMs = (options.roundTripMs ?? 0) / 2;
    // Pieces are on the wire at the same time: each has its own arrival, in order.
    let wire: Promise<void> = Promise.resolve();
    let inFlight = 0;
    try {
      for (;;) {
        const buffer = new Uint8Array(65536);
        const read = await from.read(buffer);
        if (read === null) break;
        counters[way] += read;
        if (counters.up >= cutAt) return cut();
        if (swallowing()) continue;
        if (options.rate) await sleep(read * 1000 / options.rate);
        const piece = buffer.subarray(0, read);
        if (way === "down") options.spoil?.(piece);
        else options.spoilUp?.(piece);
        const arrival = delayMs > 0 ? sleep(delayMs) : null;
        inFlight += read;
        wire = wire.then(async () => {
          await arrival;
          await writeAll(to, piece);
          inFlight -= read;
        });
        wire.catch(() => close(from));
        if (delayMs === 0 || inFlight >= windowBytes) await wire;
      }
      await wire;
      if (!swallowing()) await to.closeWrite();
    } catch {
      // A connection broken on either side breaks both, as a wire does.
      close(from);
      close(to);
    } finally {
      await wire.catch(() => close(to));
    }
  }

  const accepting = (async () => {
    for await (const client of listener) {
      const carried = carry(client).catch(() => close(client)).finally(() => carrying.delete(carried));
      carrying.add(carried);
    }
  })();

  return {
    port: listener.addr.port,
    counters,
    cut,
    cutOne: (number) => close(clients[number - 1]!),
    cutAfter: (bytes) => cutAt = counters.up + bytes,
    blackHole: () => hole = true,
    heal: () => {
      hole = false;
      refusing = false;
    },
    refuse: () => {
      refusing = true;
      cut();
    },
    refuseNew: () => refusing = true,
    [Symbol.asyncDispose]: async () => {
      listener.close();
      cut();
      await accepting;
      await Promise.all(carrying);
    },
  };
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await connection.write(bytes.subarray(done));
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
