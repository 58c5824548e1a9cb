/**
 * Files over a private FTP server on loopback: lftp by hand, and a running daemon with default settings, turn by turn. The daemon has every
 * file read back (vsftpd) or hashed by the server (proftpd, HASH) before it gives it its name; `lftp mput` proves nothing. Another daemon
 * copies the same files with `local`.
 */
import { join } from "@std/path";
import type { BenchOptions, Say, Scenario } from "./bench.ts";
import { loginTo } from "../faults/rig.ts";
import { install } from "../support/daemon_process.ts";
import { type Ftpd, type FtpdKind, startFtpd } from "../support/ftpd.ts";
import { has } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";
import { byHand, type Cost, cost, drop, fitsTree, median, ratios, secs, settleDisks, times, warmUp } from "./measure.ts";

/** A night's batch of small frames. */
const [COUNT, BYTES] = [500, 100_000];
/** The limit of the project: of what lftp takes. */
const LIMIT = 1.2;

/** As they are installed: a log of every command is for tests (only vsftpd writes one there). */
const SERVERS: readonly { readonly kind: FtpdKind; readonly config: readonly string[] }[] = [
  { kind: "vsftpd", config: ["log_ftp_protocol=NO"] },
  { kind: "proftpd", config: [] },
];

export const ftp: Scenario = async (say, options) => {
  for (const { kind, config } of SERVERS) {
    if (!has(kind === "vsftpd" ? "vsftpd" : "ftpds", "lftp")) say({ what: `needs ${kind} and lftp`, value: "left out" });
    else await atServer(kind, config, say, options);
  }
};

async function atServer(kind: FtpdKind, config: readonly string[], say: Say, { without, rounds }: BenchOptions): Promise<void> {
  await using folder = await tempFolder();
  await using server = await startFtpd({ kind, config });
  const source = folder.at("source");
  await fitsTree(source, COUNT, BYTES);
  const contestants: Readonly<Record<string, (there: string, room: string) => Promise<Cost>>> = {
    mput: (there) => lftp(server, `lcd ${source}/part0000; cd ${there}; mput *`),
    mirror: (there) => lftp(server, `mirror -R ${source} ${there}`),
    // What the daemon does, by hand; but that the names are there before anything is proven.
    hand: (there, room) => proven(server, `${source}/part0000`, there, join(room, "back")),
    // What a daemon takes where no server has to be talked to.
    "our-local": (there, room) => daemon(source, there, room, { transfer_method: "local", remote_host: "localhost" }),
    "our-ftp": async (there, room) =>
      daemon(source, there, room, { transfer_method: "ftp", ...await loginTo(server, folderIn(room)) }),
  };
  const taken = new Map<string, Cost[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [key, run] of Object.entries(contestants)) {
      if (without.has(key)) continue;
      await using room = await tempFolder();
      await Deno.mkdir(room.at("there"));
      await settleDisks();
      taken.set(key, [...taken.get(key) ?? [], await run(room.at("there"), room.path)]);
    }
  }
  const bare = taken.get("mput");
  for (const [key, costs] of taken) {
    const [wall, cpu] = bare === undefined ? [NaN, NaN] : ratios(costs, bare);
    say({
      what: `${COUNT} × ${BYTES / 1000} kB, ${kind}: ${NAMES[key] ?? `lftp ${key}`}`,
      value: secs(median(costs.map((each) => each.wall))),
      cost: costs,
      beside: bare === undefined || key === "mput" ? "" : `  ${times(wall)} lftp mput, processor ${times(cpu)}`,
      ...(key === "our-ftp" && bare !== undefined ? { limit: times(LIMIT), kept: wall <= LIMIT } : {}),
    });
  }
}

const NAMES: Readonly<Record<string, string>> = {
  hand: "lftp mput, mget, then diff",
  "our-local": "image-transfer, local",
  "our-ftp": "image-transfer, ftp",
};

async function proven(server: Ftpd, source: string, there: string, back: string): Promise<Cost> {
  await Deno.mkdir(back);
  const [sent, compared] = [
    await lftp(server, `lcd ${source}; cd ${there}; mput *; lcd ${back}; mget *`),
    await cost(() => byHand("diff", ["-rq", source, back])),
  ];
  return { wall: sent.wall + compared.wall, cpu: sent.cpu + compared.cpu };
}

function lftp({ user, password, host, port }: Ftpd, commands: string): Promise<Cost> {
  // In a script: lftp takes no other way for a password with a quote in it.
  const quoted = `${user},${password}`.replace(/[\\"]/g, "\\$&");
  const script = `set ftp:ssl-allow no; open -u "${quoted}" ftp://${host}:${port}; ${commands}; quit`;
  return cost(() => byHand("lftp", ["-c", script]));
}

/** A running daemon that has delivered files before. */
async function daemon(source: string, there: string, room: string, method: Readonly<Record<string, unknown>>): Promise<Cost> {
  const watched = join(room, "watched");
  await Deno.mkdir(watched);
  const installation = await install(room, { watch_path: watched, remote_base_path: there, log_level: "INFO", ...method });
  await using running = await installation.start();
  await warmUp(watched, there, 300);
  const taken = await drop(source, watched, there, 120);
  await running.stop();
  return taken;
}

function folderIn(room: string): Parameters<typeof loginTo>[1] {
  return {
    write: async (name, content) => {
      await Deno.writeTextFile(join(room, name), String(content));
      return join(room, name);
    },
  };
}
