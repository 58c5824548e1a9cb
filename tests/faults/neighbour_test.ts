/**
 * Two destinations of one job, and one of them is slow, frozen, full or cannot be reached: the other one does not feel it.
 * No time is measured: what is exposed arrives at the one while the other is provably still at what it was at before.
 */
import { assertEquals } from "@std/assert";
import type { DeliveryJson } from "../../src/reports/delivery/delivery_json.ts";
import { install, type Installation } from "../support/daemon_process.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { has, needs } from "../support/needs.ts";
import { mountSmallDisk } from "../support/small_disk.ts";
import { type Sshd, startSshd } from "../support/sshd.ts";
import { startProxy, type TcpProxy } from "../support/tcp_proxy.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { until } from "../support/until.ts";
import { everyDelivered, tool } from "./rig.ts";

/** So many files wait for the impaired destination, each of them a batch: more than it may send at once. */
const BACKLOG = 8;
const MORE = 20;
const SIZE = 1_000_000;

interface Impaired {
  readonly what: string;
  readonly slow: (tools: SlowTools) => Readonly<Record<string, unknown>>;
  /** Where the neighbour is; local where it does not say. */
  readonly fast?: (tools: SlowTools) => Readonly<Record<string, unknown>>;
  /** Called when the impaired destination has several files in hand. */
  readonly impair?: (tools: SlowTools) => Promise<void>;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly remote: boolean;
  /** How many files it has in hand when it is impaired for good. */
  readonly inHand?: number;
}

interface SlowTools {
  readonly server: Sshd | null;
  readonly proxy: TcpProxy | null;
}

const overSsh = (port: number | undefined) => ({ transfer_method: "rsync", remote_host: "127.0.0.1", remote_port: port });
const crawling = { bandwidth_limit: "10 kB/s" };

const CASES: readonly Impaired[] = [
  { what: "a local destination with a bandwidth limit", slow: () => ({ transfer_method: "local", ...crawling }), remote: false },
  {
    what: "a bandwidth limit and two places for three destinations",
    slow: () => ({ transfer_method: "local", ...crawling }),
    config: { max_concurrent_syncs: 2 },
    remote: false,
  },
  {
    what: "a bandwidth limit, on the same account of the same host",
    slow: ({ server }) => ({ ...overSsh(server?.port), ...crawling }),
    fast: ({ server }) => overSsh(server?.port),
    remote: true,
  },
  {
    what: "a server that froze",
    slow: ({ server }) => ({ ...overSsh(server?.port), ...crawling }),
    impair: async ({ server }) => await server?.freeze(),
    remote: true,
  },
  {
    what: "a black hole on the way",
    slow: ({ proxy }) => ({ ...overSsh(proxy?.port), ...crawling }),
    impair: ({ proxy }) => Promise.resolve(proxy?.blackHole()),
    remote: true,
  },
  {
    what: "a connection that breaks again and again",
    slow: ({ proxy }) => ({ ...overSsh(proxy?.port), ...crawling, retry_delay: 0.1 }),
    impair: ({ proxy }) => {
      proxy?.refuse();
      return Promise.resolve();
    },
    remote: true,
    inHand: 0,
  },
];

for (const { what, slow, fast, impair, config, remote, inHand = 4 } of CASES) {
  Deno.test(`the neighbour of ${what} gets its files while that one is still at its first`, {
    ignore: remote && !has("sshd", "rsync"),
  }, async () => {
    await using folder = await tempFolder();
    await using server = remote ? await startSshd() : null;
    await using proxy = server && startProxy(server.port);
    const tools = { server, proxy };
    const site = await siteOf(folder, { slow: slow(tools), fast: fast?.(tools) ?? {} }, config, server?.env);
    await using daemon = await site.start();
    await expose(folder, "before", BACKLOG);
    // With a limit, one at a time is sent.
    const full = async () => at(await site.history(), "slow", "sending").length >= 4 && await begun(folder) >= 1;
    await until(full, "the slow one has its hands full");
    await impair?.(tools);
    await until(async () => at(await site.history(), "fast", "delivered").length === BACKLOG, "the fast one has all so far");
    await expose(folder, "after", MORE);
    const rows = await site.until((rows) => at(rows, "fast", "delivered").length === BACKLOG + MORE, 60);
    assertEquals(at(rows, "slow", "delivered"), [], "the slow one was done before: nothing is shown");
    assertEquals(at(rows, "slow", "sending").length >= inHand, true, "the slow one is not at work any more");
    daemon.kill("SIGKILL");
    await daemon.ended;
  });
}

Deno.test(
  "the neighbour of a full disk gets its files, and the full one gets them when there is room",
  needs("root"),
  async () => {
    await using folder = await tempFolder();
    await using disk = await mountSmallDisk(folder.at("slow"), 2);
    const site = await siteOf(folder, { slow: { transfer_method: "local" }, fast: {} });
    await using daemon = await site.start();
    await expose(folder, "before", BACKLOG);
    await until(async () => (await site.history()).some(({ error }) => error?.code === "disk_full"), "it is full");
    await expose(folder, "after", MORE);
    const full = await site.until((rows) => at(rows, "fast", "delivered").length === BACKLOG + MORE, 60);
    assertEquals(at(full, "slow", "delivered").length < 3, true);
    await disk.resize(100);
    assertEquals((await site.command(["resume", "slow"])).code, 0);
    await site.until(everyDelivered(2 * (BACKLOG + MORE)), 60);
    assertEquals(await daemon.stop(), 0);
  },
);

/** One job with the two destinations, and a third one beside them where there are places for two only. */
async function siteOf(
  folder: TempFolder,
  { slow, fast }: { readonly slow: Readonly<Record<string, unknown>>; readonly fast: Readonly<Record<string, unknown>> },
  config: Readonly<Record<string, unknown>> = {},
  env: Readonly<Record<string, string>> = {},
): Promise<Installation> {
  for (const name of ["camera", "slow", "fast", "third"]) await Deno.mkdir(folder.at(name), { recursive: true });
  const third = "max_concurrent_syncs" in config
    ? [{ name: "third", transfer_method: "local", remote_base_path: folder.at("third") }]
    : [];
  return await install(folder.path, {
    jobs: [{
      name: "night",
      watch_path: folder.at("camera"),
      destinations: [
        { name: "slow", remote_base_path: folder.at("slow"), ...slow },
        { name: "fast", remote_base_path: folder.at("fast"), transfer_method: "local", ...fast },
        ...third,
      ],
    }],
    // Each file is a batch of its own.
    sync_queue_size: 1,
    minimum_free_space_gb: 0,
    copy_safety_margin_gb: 0,
    shutdown_timeout_seconds: 0,
    ...config,
  }, env);
}

/** How many files have begun to arrive at the slow one. */
async function begun(folder: TempFolder): Promise<number> {
  const found = await tool("sh", "-c", 'find "$1" -type f -path "*/.image-transfer-*" 2>/dev/null || :', "sh", folder.at("slow"));
  return found.split("\n").length - 1;
}

async function expose(folder: TempFolder, name: string, count: number): Promise<void> {
  for (let number = 0; number < count; number++) {
    await Deno.writeFile(folder.at("camera", `${name}${number}.fits`), fitsFile(SIZE, number + 1));
  }
}

function at(rows: readonly DeliveryJson[], destination: string, state: DeliveryJson["state"]): DeliveryJson[] {
  return rows.filter((row) => row.destination === destination && row.state === state);
}
