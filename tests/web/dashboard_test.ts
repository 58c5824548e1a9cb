/**
 * The Grafana dashboards, the alert rules and the configuration for a fleet against a real Prometheus that scrapes real daemons: every
 * query is understood, finds what a daemon serves, and has the labels that its legend names.
 */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { type FleetMember, toBeatReport } from "../../src/domain/fleet.ts";
import { type DaemonRig, daemonRig } from "../support/daemon_rig.ts";
import { selfSigned } from "../support/certificate.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { has, needs } from "../support/needs.ts";
import {
  checkDashboard,
  type Dashboard,
  type PrometheusProcess,
  promtool,
  queriesOf,
  startPrometheus,
} from "../support/prometheus.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { webRig } from "./web_rig.ts";

const SERVICE = new URL("../../service/", import.meta.url);

async function dashboardIn(file: string): Promise<Dashboard> {
  return JSON.parse(await Deno.readTextFile(new URL(file, SERVICE)));
}

/** One that is delivered, one that fails. */
async function deliverAndFail(rig: DaemonRig): Promise<void> {
  await rig.folder.write("nas/taken.fits", "something else");
  for (const name of ["a", "taken"]) await rig.folder.write(`data/${name}.fits`, fitsFile(3000, 7));
  await rig.until(() => rig.daemon.ledger.counts().delivered === 1 && rig.daemon.ledger.counts().failed === 1, "both ended");
}

/** Counters show an increase from the second scrape on. */
async function scrapedTwice(rig: DaemonRig, daemons: number, prometheus: PrometheusProcess): Promise<void> {
  await rig.until(
    async () => (await prometheus.result("rate(sync_errors_total[1m])")).length === daemons,
    "the counters were scraped twice",
  );
}

Deno.test("every query of the Grafana dashboard finds what a daemon serves", needs("promtool"), async () => {
  const dashboard = await dashboardIn("grafana-dashboard.json");
  assert(queriesOf(dashboard).length > 10);
  await using folder = await tempFolder();
  await using rig = await webRig({ on_conflict: "fail" });
  await folder.write(
    "prometheus.yml",
    `global: { scrape_interval: 200ms, scrape_timeout: 200ms }
scrape_configs: [{ job_name: camera, static_configs: [{ targets: ["${new URL(rig.origin).host}"] }] }]
`,
  );
  await using prometheus = startPrometheus(folder);
  await rig.until(async () => (await prometheus.ask("query", { query: "up == 1" })).status === "success", "Prometheus answers");
  await rig.until(async () => (await prometheus.result("daemon_uptime_seconds")).length === 1, "it has scraped the daemon");
  await deliverAndFail(rig);
  await scrapedTwice(rig, 1, prometheus);
  await checkDashboard(dashboard, 1, prometheus);
});

const TOKEN = "a-token-for-prometheus";
/** Loopback is left out of the list of computers. */
const address = Deno.networkInterfaces().find(({ family, address }) => family === "IPv4" && !address.startsWith("127."))?.address;

/** The configuration that is in service/, with short times. */
async function fleetConfig(folder: TempFolder, asked: string): Promise<void> {
  for (const file of ["prometheus-alerts.yml", "prometheus-fleet-alerts.yml"]) {
    await folder.write(file, await Deno.readTextFile(new URL(file, SERVICE)));
  }
  await folder.write("image-transfer-token", TOKEN);
  const config = (await Deno.readTextFile(new URL("prometheus-fleet.yml", SERVICE)))
    .replace("scrape_interval: 30s", "scrape_interval: 200ms\n  scrape_timeout: 200ms")
    // Only a daemon on the same computer needs no token for it.
    .replace(
      "http://127.0.0.1:9091/metrics/targets",
      `${asked}\n        authorization: { type: Bearer, credentials_file: image-transfer-token }\n        tls_config: { ca_file: image-transfer-ca.pem }`,
    )
    .replace("# tls_config:\n    #   ca_file", "tls_config:\n      ca_file")
    .replace("refresh_interval: 1m", "refresh_interval: 1s");
  for (const changed of [asked, "200ms", "refresh_interval: 1s", "\n      ca_file"]) assert(config.includes(changed), changed);
  await folder.write("prometheus.yml", config);
}

Deno.test("the configuration for a fleet finds all computers by their heartbeats, and its dashboard tells of all of them", {
  ignore: !has("promtool", "openssl") || address === undefined,
}, async () => {
  await using folder = await tempFolder();
  const { cert, key } = await selfSigned(folder, `IP:${address}`);
  await Deno.copyFile(cert, folder.at("image-transfer-ca.pem"));
  const web = { listen: `${address}:0`, token: "what-opens-the-page", metrics_token: TOKEN, tls_cert: cert, tls_key: key };
  await using spring = await daemonRig({ on_conflict: "fail", web });
  await using autumn = await daemonRig({ on_conflict: "fail", web });
  const urls = [spring, autumn].map(({ daemon }) => new URL(daemon.startUrl()!));
  const asked = new URL("/metrics/targets", urls[0]).href;
  await fleetConfig(folder, asked);
  await promtool("check", "config", folder.at("prometheus.yml"));
  using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(cert)] });
  const headers = { authorization: `Bearer ${TOKEN}` };
  // Nothing is known yet: an error, so that Prometheus keeps what it knows.
  const [foreign, early] = [await fetch(asked, { client }), await fetch(asked, { client, headers })];
  assertEquals([foreign.status, early.status], [401, 503]);
  await Promise.all([foreign.body?.cancel(), early.body?.cancel()]);
  const member = (name: string, page: string): FleetMember => ({
    ...{ name, level: "good", headline: "", version: "1", seen_at: null, seconds_ago: 1, config_error: null },
    report: toBeatReport({ page }),
  });
  const members = [
    member("spring", urls[0]!.href),
    member('au"tu\\mn', urls[1]!.href),
    member("local", "http://127.0.0.1:9090/"),
  ];
  for (const rig of [spring, autumn]) {
    rig.daemon.events.emit({ type: "fleet", members });
    rig.daemon.events.emit({ type: "pocketbase", collection: "image_transfer_jobs", result: "ok", milliseconds: 3 });
  }
  await using prometheus = startPrometheus(folder);
  await spring.until(async () => (await prometheus.ask("query", { query: "up" })).status === "success", "Prometheus answers");
  await spring.until(async () => (await prometheus.result("daemon_uptime_seconds")).length === 2, "it has scraped both");
  for (const rig of [spring, autumn]) await deliverAndFail(rig);
  await scrapedTwice(spring, 2, prometheus);
  const names = (await prometheus.result('up{job="image-transfer"} == 1')).map(({ metric }) => metric["instance"]);
  assertEquals(names.sort(), ['au"tu\\mn', "spring"]);
  await checkDashboard(await dashboardIn("grafana-fleet-dashboard.json"), 2, prometheus);
});

for (const file of ["grafana-dashboard.json", "grafana-fleet-dashboard.json"]) {
  Deno.test(`${file} names metrics that exist and variables that it has, and no panel lies on another`, async () => {
    const dashboard = await dashboardIn(file);
    const served = await metricsServed();
    const used = queriesOf(dashboard).flatMap(({ expr }) => metricsIn(expr));
    assert(used.length > 10);
    assertEquals(used.filter((name) => !served.has(name) && name !== "up"), []);
    const variables = ["__rate_interval", "__all", ...dashboard.templating.list.map(({ name }) => name)];
    for (const [, variable] of JSON.stringify(dashboard).matchAll(/\$\{?(\w+)/g)) assert(variables.includes(variable!), variable);
    const { panels } = dashboard;
    assertEquals(new Set(panels.map(({ id }) => id)).size, panels.length);
    const kinds = ["stat", "state-timeline", "timeseries", "bargauge"];
    assertEquals(panels.filter(({ type }) => !kinds.includes(type)).map(({ type }) => type), []);
    for (const [index, { title, targets = [], gridPos: { x, y, w, h } }] of panels.entries()) {
      assert(x >= 0 && x + w <= 24, title);
      assertEquals(new Set(targets.map(({ refId }) => refId)).size, targets.length);
      const covered = panels.slice(index + 1).filter(({ gridPos: other }) =>
        other.x < x + w && x < other.x + other.w && other.y < y + h && y < other.y + other.h
      );
      assertEquals(covered.map((one) => one.title), [], `${title} lies on another panel`);
    }
  });
}

/** Every name that a scrape has. */
async function metricsServed(): Promise<ReadonlySet<string>> {
  const golden = await Deno.readTextFile(new URL("../events/golden/metrics.txt", import.meta.url));
  return new Set(
    [...golden.matchAll(/^# TYPE (\w+) (\w+)/gm)].flatMap(([, name, type]) =>
      type === "histogram" ? ["_bucket", "_sum", "_count"].map((part) => name! + part) : [name!]
    ),
  );
}

/** The names in a query that are no labels, no functions and no words of the language. */
function metricsIn(expr: string): string[] {
  const bare = expr.replaceAll(/"[^"]*"/g, "").replaceAll(/\{[^}]*\}/g, "").replaceAll(/\[[^\]]*\]/g, "")
    .replaceAll(/\b(?:by|without|on|ignoring)\s*\([^)]*\)/g, "");
  return [...bare.matchAll(/[a-z_][a-z0-9_]*(?!\s*\(|[a-z0-9_])/g)].map(([name]) => name)
    .filter((name) => !["and", "or", "unless", "by", "on"].includes(name));
}

for (
  const [file, tests] of [["prometheus-alerts.yml", "alerts_test.yml"], ["prometheus-fleet-alerts.yml", "fleet_alerts_test.yml"]]
) {
  Deno.test(
    `the rules of ${file} fire for what they are made for and for nothing else, from metrics that exist`,
    needs("promtool"),
    async () => {
      const rules = new URL(file!, SERVICE);
      const checks = new URL(tests!, import.meta.url);
      await promtool("check", "rules", fromFileUrl(rules));
      await promtool("test", "rules", fromFileUrl(checks));
      const text = await Deno.readTextFile(rules);
      const served = await metricsServed();
      const used = new Set(text.match(/\b(?:image_transfer|daemon|file_watchers|pocketbase|log_buffer)_[a-z_]+/g));
      assert(used.size > 3);
      assertEquals([...used].filter((name) => !served.has(name)), []);
      const named = [...text.matchAll(/- alert: (\w+)/g)].map(([, name]) => name!);
      const tested = await Deno.readTextFile(checks);
      assertEquals(named.filter((name) => !tested.includes(`alertname: ${name}`)), []);
    },
  );
}
