/** What is made of the schema, word for word. */
import { assertEquals } from "@std/assert";
import { configSchema } from "../../src/config/schema/schema.ts";
import { optionsTable } from "../support/options_table.ts";
import { type ConfigKind, parseSettings } from "../../src/config/read/parse_settings.ts";
import { sampleConfig, showConfig } from "../../src/config/show/show.ts";
import { parse as parseYaml } from "yaml";
import * as z from "zod";
import { assertGolden } from "../support/golden.ts";
import { aComputer } from "./a_computer.ts";

const golden = (name: string) => new URL(`golden/${name}`, import.meta.url);
const KINDS: readonly ConfigKind[] = ["yaml", "toml"];

/** What the sample says without a `#`. */
const BEGIN = "watch_path: ~/images\nremote_host: freya\nremote_user: observer\nremote_base_path: /home/observer/data/images\n";

for (const kind of KINDS) {
  Deno.test(`sampleConfig() in ${kind} stays as it is`, async () => {
    await assertGolden(golden(`sample.${kind}`), sampleConfig(kind));
  });

  Deno.test(`sampleConfig() in ${kind} means the defaults`, () => {
    assertEquals(parseSettings(sampleConfig(kind), "c", kind, aComputer()), parseSettings(BEGIN, "c", "yaml", aComputer()));
  });

  Deno.test(`sampleConfig() in ${kind} shows the defaults: with every # taken away only examples differ`, () => {
    const examples = 'remote_port: 22\nfile_mode: "0664"\ndirectory_mode: "0775"\nnight_timezone: Europe/Berlin\n' +
      "site_longitude: -70.4\nmax_concurrent_syncs: 4\npid_file: /run/image-transfer.pid\n";
    const [first, ...rest] = sampleConfig(kind).split(/^(?=# ──)/m);
    const text = (first ?? "").replace(/^#.*$/gm, "") +
      rest.join("").replace(/^#(?=(?: {2})?[a-z_]+(?:: | = )|[a-z_]+:$|\[)/gm, "");
    // What `config show` prints differs where the sample writes a default.
    const { full: _shown, notes: _notes, ...written } = parseSettings(text, "c", kind, aComputer());
    const { full: _alsoShown, notes: _alsoNotes, ...implied } = parseSettings(BEGIN + examples, "c", "yaml", aComputer());
    assertEquals(written, implied);
  });
}

Deno.test("sampleConfig() takes answers in place of its examples", () => {
  const answers = { watch_path: "/cam", transfer_method: "local", remote_base_path: "/mnt/nas: images" };
  for (const kind of KINDS) {
    const [job] = parseSettings(sampleConfig(kind, answers), "c", kind, aComputer()).jobs;
    assertEquals([job?.watchPath, job?.destinations[0]?.transport.method, job?.destinations[0]?.basePath], [
      "/cam",
      "local",
      "/mnt/nas: images",
    ]);
  }
});

Deno.test("configSchema() stays as it is", async () => {
  await assertGolden(golden("schema.json"), `${JSON.stringify(configSchema(), null, 2)}\n`);
});

Deno.test("configSchema() takes the sample and refuses what is no configuration", () => {
  const schema = z.fromJSONSchema(configSchema() as Parameters<typeof z.fromJSONSchema>[0]);
  assertEquals(schema.safeParse(parseYaml(sampleConfig("yaml"))).success, true);
  assertEquals(schema.safeParse({ watch_path: "/data", filters: ["*.tmp"], web: false }).success, true);
  assertEquals(schema.safeParse({ watch_path: 3, zebra: 1 }).error?.issues.length, 2);
});

Deno.test("optionsTable() stays as it is", async () => {
  await assertGolden(golden("options.md"), `${optionsTable()}\n`);
});

const FULL = `
log_level: debug
web: { listen: 127.0.0.1:0, token: a-very-secret-token }
on_conflict: overwrite
schedule: { from: "06:00", to: "18:00" }
report: { to: "https://chat.example/hooks/a-very-secret-token" }
jobs:
  - name: spring
    watch_path: C:/Users/Observer/data/images
    retry_delay: 10s
    destinations:
      - { name: freya, transfer_method: rsync, remote_host: freya, remote_user: observer, remote_base_path: /data/NIGHT/images }
      - { name: nas, transfer_method: local, remote_base_path: /mnt/nas/images, file_mode: 0664 }
`;

for (const format of ["yaml", "json"] as const) {
  Deno.test(`showConfig() in ${format} stays as it is, without secrets`, async () => {
    const { full } = parseSettings(FULL, "config.yaml", "yaml", aComputer());
    const shown = showConfig(full, format);
    assertEquals(shown.includes("a-very-secret-token"), false);
    await assertGolden(golden(`show.${format}`), shown);
  });

  Deno.test(`showConfig() in ${format} is a configuration that means the same`, () => {
    const first = parseSettings(
      FULL.replace("a-very-secret-token", "(hidden)(hidden)").replace(/^report.*\n/m, ""),
      "c",
      "yaml",
      aComputer(),
    );
    const again = parseSettings(showConfig(first.full, format).replace("(hidden)", "(hidden)(hidden)"), "c", "yaml", aComputer());
    assertEquals(again, first);
  });
}
