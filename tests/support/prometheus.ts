/** A real Prometheus, and what Grafana would ask it for a dashboard. */
import { assert, assertEquals } from "@std/assert";
import type { TempFolder } from "./temp.ts";

/** A dashboard, as far as tests read it. */
export interface Dashboard {
  readonly panels: readonly {
    readonly id: number;
    readonly type: string;
    readonly title: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly panels?: Dashboard["panels"];
    readonly targets?: readonly { readonly refId: string; readonly expr: string; readonly legendFormat?: string }[];
  }[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly query: string | { readonly query: string } }[];
  };
}

interface Query {
  readonly title: string;
  readonly expr: string;
  readonly legendFormat?: string;
}

/** All queries of its panels. */
export function queriesOf({ panels }: Pick<Dashboard, "panels">): Query[] {
  return panels.flatMap(({ title, targets = [], panels = [] }) => [
    ...targets.map((target) => ({ title, ...target })),
    ...queriesOf({ panels }),
  ]);
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data: unknown;
}

export interface PrometheusProcess extends AsyncDisposable {
  /** Null data and `silent` before it answers. */
  ask(path: string, query: Readonly<Record<string, string>>): Promise<Answer>;
  /** The series that a query has now, its variables filled in as Grafana does. */
  result(expr: string): Promise<readonly { readonly metric: Readonly<Record<string, string>> }[]>;
}

/** Starts it with the configuration that lies in the folder as `prometheus.yml`. */
export function startPrometheus(folder: TempFolder): PrometheusProcess {
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
  const ask: PrometheusProcess["ask"] = async (path, query) => {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/${path}?${new URLSearchParams(query)}`).catch(() => null);
    if (answer?.headers.get("content-type")?.includes("json")) return await answer.json();
    await answer?.body?.cancel();
    return { status: "silent", data: null };
  };
  return {
    ask,
    async result(expr) {
      const query = expr.replaceAll(/\$(sync_job|destination|instance)\b/g, ".*").replaceAll("$__rate_interval", "1m");
      const { status, error, data } = await ask("query", { query });
      assertEquals(status, "success", `${expr}: ${error}`);
      return (data as { result: { metric: Record<string, string> }[] }).result;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

/** Every query finds something, with the labels that its legend names, and every variable has this many values. */
export async function checkDashboard(dashboard: Dashboard, values: number, prometheus: PrometheusProcess): Promise<void> {
  for (const { title, expr, legendFormat = "" } of queriesOf(dashboard)) {
    const found = await prometheus.result(expr);
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
    assertEquals((data as string[]).length, values, `the variable ${name} has other values`);
  }
}

/** Runs promtool, and says what it said where it finds a fault. */
export async function promtool(...args: readonly string[]): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command("promtool", { args: [...args] }).output();
  const text = new TextDecoder();
  assert(success, `promtool ${args.join(" ")}: ${text.decode(stdout)}${text.decode(stderr)}`);
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
