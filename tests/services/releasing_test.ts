/** How a release is built, published and installed: what keeps its programs from being replaced on the way to a user. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parse } from "yaml";
import { selfSigned } from "../support/certificate.ts";
import { has } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";

interface Workflow {
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, WorkflowJob>>;
}

interface WorkflowJob {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly steps: readonly { readonly uses?: string; readonly run?: string; readonly with?: Readonly<Record<string, unknown>> }[];
}

const INSTALL = new URL("../../service/install.sh", import.meta.url).pathname;

for (const name of ["ci", "release"]) {
  const text = await Deno.readTextFile(new URL(`../../.github/workflows/${name}.yml`, import.meta.url));
  const { permissions, jobs } = parse(text) as Workflow;

  Deno.test(`${name}.yml names each action by its commit, and says which version that is`, () => {
    const actions = [...text.matchAll(/uses: (.*)/g)].map(([, action]) => action!);
    assertEquals(actions.length > 0, true);
    for (const action of actions) assertMatch(action, /^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  Deno.test(`${name}.yml leaves no credentials in the checkout, and lets only a job that runs none of our code write`, () => {
    assertEquals(Object.values(permissions).filter((right) => right !== "read"), []);
    for (const { permissions: own, steps } of Object.values(jobs)) {
      const checkouts = steps.filter(({ uses }) => uses?.startsWith("actions/checkout@"));
      assertEquals(checkouts.filter((step) => step.with?.["persist-credentials"] !== false), []);
      if (!Object.values(own ?? {}).includes("write")) continue;
      assertEquals(checkouts, []);
      assertEquals(steps.filter(({ run }) => /deno|npm|npx/.test(run ?? "")), []);
    }
  });
}

async function install(from: string, env: Record<string, string>): Promise<{ readonly code: number; readonly stderr: string }> {
  const { code, stderr } = await new Deno.Command("sh", { args: [INSTALL, from], env, stdout: "null", stderr: "piped" }).output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

Deno.test({
  name: "install.sh fetches by https only, and follows no redirection to anything else",
  ignore: !has("openssl", "vsftpd"), // Where vsftpd is, curl is.
  async fn() {
    await using folder = await tempFolder();
    const env = { PREFIX: folder.at("prefix"), NO_PROXY: "127.0.0.1" };
    const asked: string[] = [];
    const listen = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    await using plain = Deno.serve(listen, ({ url }) => {
      asked.push(url);
      return new Response();
    });
    const address = `http://127.0.0.1:${plain.addr.port}`;
    const refused = await install(address, env);
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.stderr, "is not an https:// address");

    const { cert, key } = await selfSigned(folder, "IP:127.0.0.1");
    const files = { cert: await Deno.readTextFile(cert), key: await Deno.readTextFile(key) };
    await using secure = Deno.serve({ ...listen, ...files }, () => Response.redirect(`${address}/SHA256SUMS`));
    const redirected = await install(`https://127.0.0.1:${secure.addr.port}`, { ...env, CURL_CA_BUNDLE: cert });
    assertEquals(redirected.code, 1);
    assertMatch(redirected.stderr, /[Pp]rotocol .?http.? .*(not supported|disabled)/);
    assertEquals(asked, []);
  },
});
