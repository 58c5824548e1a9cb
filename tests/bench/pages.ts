/** What open pages cost: the same 2,000 files delivered with and without ten live pages, turn by turn. */
import { join } from "@std/path";
import { install } from "../support/daemon_process.ts";
import { has } from "../support/needs.ts";
import { type Sshd, startSshd } from "../support/sshd.ts";
import { tempFolder } from "../support/temp.ts";
import type { Scenario } from "./bench.ts";
import { type Cost, drop, fitsTree, median, ratios, secs, settleDisks, times, warmUp } from "./measure.ts";

const COUNT = 2000;
const PAGES = 10;

export const pages: Scenario = async (say, { rounds }) => {
  if (!has("sshd", "rsync")) return say({ what: "needs sshd and rsync", value: "left out" });
  await using folder = await tempFolder();
  await using server = await startSshd();
  await fitsTree(folder.at("source"), COUNT, 100_000);
  const taken: Record<number, Cost[]> = { 0: [], [PAGES]: [] };
  for (let round = 0; round < 2 * rounds; round++) {
    // In turns of changing order: the machine may become slower or faster meanwhile.
    for (const open of round % 2 === 0 ? [0, PAGES] : [PAGES, 0]) {
      await settleDisks();
      taken[open]!.push(await deliver(folder.at(`${round}-${open}`), folder.at("source"), server, open));
    }
  }
  const middle = (open: number) => median(taken[open]!.map(({ wall }) => wall));
  say({ what: `${COUNT} files with no page open`, value: secs(middle(0)), cost: taken[0]! });
  say({ what: `${COUNT} files with ${PAGES} pages open`, value: secs(middle(PAGES)), cost: taken[PAGES]! });
  const [wall, cpu] = ratios(taken[PAGES]!, taken[0]!);
  say({ what: "with pages / without", value: times(wall), limit: "1.05 ×", kept: wall <= 1.05 });
  say({ what: "with pages / without, processor time", value: times(cpu) });
};

async function deliver(folder: string, source: string, server: Sshd, open: number): Promise<Cost> {
  const [watched, there] = [join(folder, "watched"), join(folder, "there")];
  await Deno.mkdir(watched, { recursive: true });
  await Deno.mkdir(there);
  const installation = await install(folder, {
    watch_path: watched,
    transfer_method: "auto",
    remote_host: server.host,
    remote_base_path: there,
    log_level: "INFO",
    web: { listen: "127.0.0.1:0" },
  }, server.env);
  await using daemon = await installation.start();
  const address = new URL((await installation.command(["open", "--print"])).stdout.trim());
  const sockets = await Promise.all(Array.from({ length: open }, () => openPage(address)));
  await warmUp(watched, there, 500);
  const taken = await drop(source, watched, there);
  const heard = sockets.map(({ messages }) => messages());
  if (heard.some((count) => count < 2)) throw new Error(`a page heard nothing: ${heard}`);
  for (const { socket } of sockets) socket.close();
  await daemon.stop();
  return taken;
}

async function openPage(address: URL): Promise<{ readonly socket: WebSocket; readonly messages: () => number }> {
  const login = await fetch(address, { redirect: "manual" });
  await login.body?.cancel();
  const headers = { cookie: (login.headers.get("set-cookie") ?? "").split(";")[0]!, origin: address.origin };
  const socket = new WebSocket(`ws://${address.host}/api/live`, { headers } as unknown as string[]);
  let messages = 0;
  socket.onmessage = () => void messages++;
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  return { socket, messages: () => messages };
}
