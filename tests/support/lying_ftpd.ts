/**
 * A small FTP server that lies, for what real ones do only now and then: wrong sizes, bytes that are lost though it says that it has them,
 * a control connection that it cuts, commands that it does not know.
 */
import { join } from "@std/path";

export interface Lies {
  /** Added to every size that it tells. */
  readonly sizeOff?: number;
  /** So many bytes of a file are kept; it says that all were. */
  readonly keeps?: number;
  /** The control connection is cut when a file comes. */
  readonly cutsAtStor?: boolean;
  /** Commands that it does not know. */
  readonly unknown?: readonly string[];
  /** Called before a file is sent back. */
  readonly onRetr?: () => Promise<void>;
  /** What it answers to this command does not end before {@linkcode MOST_BYTES}: the data, or the reply to `CWD`. */
  readonly endless?: "RETR" | "NLST" | "CWD";
  /** Folders that it does not allow. */
  readonly forbids?: RegExp;
  /** Says that it has renamed, and has not. */
  readonly renamesNothing?: boolean;
}

export interface LyingFtpd extends AsyncDisposable {
  readonly port: number;
  /** All commands so far. */
  readonly commands: readonly string[];
  /** What was sent of answers without end. */
  readonly sent: number;
}

/** No test fills the memory. */
export const MOST_BYTES = 300_000_000;

type Sent = { bytes: number };

/** Until the other side has gone. */
async function sendOn(to: Deno.Conn, line: string, sent: Sent): Promise<void> {
  const piece = new TextEncoder().encode(line.repeat(Math.ceil(64_000 / line.length)));
  while (sent.bytes < MOST_BYTES) {
    await to.write(piece);
    sent.bytes += piece.length;
  }
}

/** Serves the whole disk of this computer. */
export function startLyingFtpd(lies: Lies): LyingFtpd {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const commands: string[] = [];
  const sent: Sent = { bytes: 0 };
  const open = new Set<Deno.Conn>();
  const serving = (async () => {
    for await (const connection of listener) {
      open.add(connection);
      void serve(connection, lies, commands, sent).catch(() => undefined).finally(() => {
        if (open.delete(connection)) connection.close();
      });
    }
  })();
  return {
    port: listener.addr.port,
    commands,
    get sent() {
      return sent.bytes;
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of open) connection.close();
      open.clear();
      await serving;
    },
  };
}

async function serve(connection: Deno.Conn, lies: Lies, commands: string[], sent: Sent): Promise<void> {
  const say = (text: string) => connection.write(new TextEncoder().encode(`${text}\r\n`));
  let data: Deno.TcpListener | null = null;
  let from = "";
  await say("220 hello");
  for await (const line of linesOf(connection)) {
    commands.push(line);
    const [, name = "", path = ""] = /^(\S+) ?(.*)$/.exec(line) ?? [];
    if (lies.unknown?.includes(name)) {
      await say("500 Unknown command");
      continue;
    }
    if (name === "MKD" && lies.forbids?.test(path)) {
      await say("550 Invalid folder");
      continue;
    }
    if (name === lies.endless && name === "CWD") await sendOn(connection, "250-and so on\r\n", sent);
    if (name === "EPSV") {
      data = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      await say(`229 Entering (|||${data.addr.port}|)`);
    } else if (data !== null && name !== "STOR" && NEEDS_FILE.has(name) && await stat(pathIn(path)) === null) {
      data.close();
      data = null;
      await say("550 No such file");
    } else if (data !== null && (name === "STOR" || NEEDS_FILE.has(name))) {
      await say("150 coming");
      const peer = await data.accept();
      data.close();
      data = null;
      if (name === "STOR" && lies.cutsAtStor) return peer.close();
      if (name === "RETR") await lies.onRetr?.();
      if (name === lies.endless) {
        await sendOn(peer, "a name that is made of nothing\r\n", sent).catch(() => undefined);
        peer.close();
        await say("226 done");
        continue;
      }
      await carry(peer, name, pathIn(path), lies);
      await say("226 done");
    } else if (name === "RNFR") {
      from = path;
      await say(await stat(path) ? "350 go on" : "550 No such file");
    } else if (name === "RNTO") {
      const renamed = lies.renamesNothing || await Deno.rename(from, path).then(() => true, () => false);
      await say(renamed ? "250 renamed" : "550 Cannot rename");
    } else await say(await answer(name, path, lies));
  }
}

const NEEDS_FILE: ReadonlySet<string> = new Set(["RETR", "NLST"]);

/** Without an option of `NLST`. */
function pathIn(argument: string): string {
  return argument.replace(/^-a /, "");
}

async function carry(peer: Deno.Conn, name: string, path: string, { keeps = Infinity }: Lies): Promise<void> {
  if (name === "STOR") {
    const all = new Uint8Array(await new Response(peer.readable).arrayBuffer());
    return await Deno.writeFile(path, all.subarray(0, Math.min(all.length, keeps)));
  }
  const content = name === "RETR" ? await Deno.readFile(path) : new TextEncoder().encode(
    (await Array.fromAsync(Deno.readDir(path))).map((each) => `${join(path, each.name)}\r\n`).join(""),
  );
  const writer = peer.writable.getWriter();
  await writer.write(content);
  await writer.close();
}

async function answer(name: string, path: string, { sizeOff = 0 }: Lies): Promise<string> {
  const done = (work: Promise<unknown>) => work.then(() => "250 done", () => "550 not done");
  switch (name) {
    case "USER":
      return "230 come in";
    case "PWD":
      return '257 "/"';
    case "TYPE":
    case "NOOP":
      return "200 fine";
    case "SIZE": {
      const found = await stat(path);
      return found?.isFile ? `213 ${found.size + sizeOff}` : "550 no";
    }
    case "CWD":
      return (await stat(path))?.isDirectory ? "250 there" : "550 No such folder";
    case "MKD":
      return await done(Deno.mkdir(path));
    case "DELE":
      return (await stat(path))?.isFile ? await done(Deno.remove(path)) : "550 no file";
    case "RMD":
      return (await stat(path))?.isDirectory ? await done(Deno.remove(path)) : "550 no folder";
    default:
      return "500 Unknown command";
  }
}

function stat(path: string): Promise<Deno.FileInfo | null> {
  return Deno.stat(path).catch(() => null);
}

async function* linesOf(connection: Deno.Conn): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of chunksOf(connection)) {
    const parts = (rest + decoder.decode(piece, { stream: true })).split("\r\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}

async function* chunksOf(connection: Deno.Conn): AsyncGenerator<Uint8Array> {
  for (;;) {
    const buffer = new Uint8Array(4096);
    const read = await connection.read(buffer);
    if (read === null) return;
    yield buffer.subarray(0, read);
  }
}
