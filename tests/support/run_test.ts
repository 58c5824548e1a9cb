import { assertEquals } from "@std/assert";
import { chosen, closing, count } from "../run.ts";
import { COMPONENTS } from "./needs.ts";

const REPORT = `<testsuites name="deno test" tests="3" failures="0">
    <testsuite name="./a_test.ts" tests="3" disabled="1" errors="0" failures="0">
        <testcase name="power cut right after &quot;delivered&quot; (local): &lt;whole&gt;" classname="./a_test.ts" line="1">
            <skipped/>
        </testcase>
        <testcase name="two" classname="./a_test.ts" line="2">
        </testcase>
        <testcase name="three" classname="./a_test.ts" line="3">
        </testcase>
    </testsuite>
</testsuites>`;
const ONE_FAILED = ['disabled="1" errors="0" failures="0"', 'disabled="0" errors="0" failures="1"'] as const;
const NAME = 'power cut right after "delivered" (local): <whole>';

Deno.test("count() reads how the tests came out, and which were skipped", () => {
  assertEquals(count(REPORT), { passed: 2, failed: 0, skipped: 1, names: [NAME], failures: [] });
});

Deno.test("chosen() leaves out the tests that were not asked for, which the report has as skipped", () => {
  assertEquals(chosen(count(REPORT), /^something else/), { passed: 2, failed: 0, skipped: 0, names: [], failures: [] });
  assertEquals(chosen(count(REPORT), /^/), count(REPORT));
});

Deno.test("a failed test is named once more in the end", () => {
  const sum = count(REPORT.replace("<skipped/>", '<failure message="Uncaught Error">Error: x</failure>').replace(...ONE_FAILED));
  assertEquals(sum, { passed: 2, failed: 1, skipped: 0, names: [], failures: [NAME] });
  const { lines, code } = closing(sum, { missing: [], groups: [], strict: false });
  assertEquals(lines, ["", `Failed: ${NAME}`, "2 passed, 1 failed, 0 skipped"]);
  assertEquals(code, 1);
});

Deno.test("closing() names every group, component and test that was left out, with the reason", () => {
  const missing = [COMPONENTS.loop, COMPONENTS.rsync];
  assertEquals(closing(count(REPORT), { missing, groups: ["binary"], strict: false }), {
    lines: [
      "",
      "Not run: the group binary (it builds programs, which takes minutes); run it with: deno task test binary",
      "Left out: power cuts (not found: loop devices (/dev/loop*)).",
      "Left out: the rsync method (not found: rsync).",
      `Skipped: ${NAME}.`,
      "2 passed, 0 failed, 1 skipped",
    ],
    code: 0,
  });
});

Deno.test("closing() takes what is left out for a failure where everything is required", () => {
  const nothing = { missing: [], groups: ["labs"], strict: true };
  const sum = count(REPORT);
  assertEquals(closing(sum, nothing).code, 1);
  assertEquals(closing(sum, nothing).lines[2], `Skipped: ${NAME}. With IMAGE_TRANSFER_TEST_REQUIRE=all this is a failure.`);
  const all = { ...sum, skipped: 0, names: [] };
  assertEquals(closing(all, { ...nothing, missing: [COMPONENTS.loop] }).code, 1);
  assertEquals(closing(all, nothing).code, 0);
});
