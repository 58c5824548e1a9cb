/**
 * The Grafana dashboard against a real Prometheus that scrapes a real daemon: every query of it is understood, finds what the daemon
 * serves, and has the labels that its legend names.
 */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { fitsFile } from "../support/fits_maker.ts";
import { has } from "../support/needs.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { webRig } from "./web_rig.ts";

const FILE = new URL("../../service/grafana-dashboard.json", import.meta.url);

interface Query {
  readonly title: string;
  readonly expr: string;
  readonly legendFormat?: string;
}

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly panels?: Dashboard["panels"];
    readonly targets?: readonly { readonly expr: string; readonly legendFormat?: string }[];
  }[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly query: string | { readonly query: string } }[];
  };
}

function queriesOf({ panels }: Pick<Dashboard, "panels">): Query[] {
  return panels.flatMap(({ title, targets = [], panels = [] }) => [
    ...targets.map((target) => ({ title, ...target })),
    ...queriesOf({ panels }),
  ]);
}

/** As Grafana fills in its variables. */
function filled(expr: string): string {
  return expr.replaceAll(/\$(sync_job|destination)\b/g, ".*").replaceAll("$__rate_interval", "1m");
}

/** A Prometheus that scrapes `origin` every 200 ms. */
async function startPrometheus(folder: TempFolder, origin: string) {
  const [, , host] = origin.split("/");
  await folder.write(
    "prometheus.yml",
    `global: { scrape_interval: 200ms, scrape_timeout: 200ms }
scrape_configs: [{ job_name: camera, static_configs: [{ targets: ["${host}"] }] }]
`,
  );
  const port = freePort();
  const child = new Deno.Command("prometheus", {
    args: [
      `--config.file=${folder.at("prometheus.yml")}`,
      `--storage.tsdb.path=${folder.at("tsdb")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return {
    async ask(path: string, query: Readonly<Record<string, string>>): Promise<{ status: string; error?: string; data: unknown }> {
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/${path}?${new URLSearchParams(query)}`).catch(() => null);
      if (answer?.headers.get("content-type")?.includes("json")) return await answer.json();
      await answer?.body?.cancel();
      return { status: "silent", data: null };
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test({
  name: "every query of the Grafana dashboard finds what a daemon serves",
  ignore: !has("promtool"),
  async fn() {
    const dashboard: Dashboard = JSON.parse(await Deno.readTextFile(FILE));
    const queries = queriesOf(dashboard);
    assert(queries.length > 10);
    await using folder = await tempFolder();
    await using rig = await webRig({ on_conflict: "fail" });
    await using prometheus = await startPrometheus(folder, rig.origin);
    const result = async (expr: string) => {
      const { status, error, data } = await prometheus.ask("query", { query: filled(expr) });
      assertEquals(status, "success", `${expr}: ${error}`);
      return (data as { result: { metric: Record<string, string> }[] }).result;
    };
    await rig.until(async () => (await prometheus.ask("query", { query: "up == 1" })).status === "success", "Prometheus answers");
    await rig.until(async () => (await result("daemon_uptime_seconds")).length === 1, "it has scraped the daemon");
    // One that is delivered, one that fails; counters show an increase from the second scrape on.
    await rig.folder.write("nas/taken.fits", "something else");
    for (const name of ["a", "taken"]) await rig.folder.write(`data/${name}.fits`, fitsFile(3000, 7));
    await rig.until(() => rig.daemon.ledger.counts().delivered === 1 && rig.daemon.ledger.counts().failed === 1, "both ended");
    await rig.until(async () => (await result("rate(sync_errors_total[1m])")).length === 1, "the counters were scraped twice");
    for (const { title, expr, legendFormat = "" } of queries) {
      const found = await result(expr);
      assert(found.length > 0, `"${title}" finds nothing: ${expr}`);
      const named = [...legendFormat.matchAll(/\{\{\s*(\w+)\s*\}\}/g)].map(([, label]) => label!);
      for (const { metric } of found) {
        assertEquals(named.filter((label) => !(label in metric)), [], `"${title}" has no such label: ${legendFormat}`);
      }
    }
    for (const { name, query } of dashboard.templating.list) {
      const [, metric, label] = /^label_values\((\w+), (\w+)\)$/.exec(typeof query === "string" ? query : query.query) ?? [];
      if (metric === undefined || label === undefined) continue;
      const { data } = await prometheus.ask(`label/${label}/values`, { "match[]": metric });
      assertEquals((data as string[]).length, 1, `the variable ${name} has no values`);
    }
  },
});

Deno.test({
  name: "the alert rules fire for what they are made for and for nothing else, from metrics that exist",
  ignore: !has("promtool"),
  async fn() {
    const rules = new URL("../../service/prometheus-alerts.yml", import.meta.url);
    const checks = new URL("alerts_test.yml", import.meta.url);
    for (const args of [["check", "rules", fromFileUrl(rules)], ["test", "rules", fromFileUrl(checks)]]) {
      const { success, stdout, stderr } = await new Deno.Command("promtool", { args }).output();
      const text = new TextDecoder();
      assert(success, `promtool ${args.join(" ")}: ${text.decode(stdout)}${text.decode(stderr)}`);
    }
    const served = await Deno.readTextFile(new URL("../events/golden/metrics.txt", import.meta.url));
    const used = new Set((await Deno.readTextFile(rules)).match(/\b(?:image_transfer|daemon|file_watchers)_[a-z_]+/g));
    assert(used.size > 6);
    assertEquals([...used].filter((name) => !served.includes(`# TYPE ${name} `)), []);
    const named = [...(await Deno.readTextFile(rules)).matchAll(/- alert: (\w+)/g)].map(([, name]) => name!);
    const tested = await Deno.readTextFile(checks);
    assertEquals(named.filter((name) => !tested.includes(`alertname: ${name}`)), []);
  },
});
