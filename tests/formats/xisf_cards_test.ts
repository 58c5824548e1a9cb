import { assertEquals } from "@std/assert";
import { xisfCards } from "../../src/formats/xisf.ts";

const cards = (xml: string) => Object.fromEntries(xisfCards(xml));

Deno.test("xisfCards() takes the FITS keywords, as text, numbers and truths", () => {
  const xml = `<xisf><Image geometry="1:1:1">
    <FITSKeyword name="OBJECT" value="'NGC 7000  '" comment="a &lt;b&gt;"/>
    <FITSKeyword comment='x > y' value='120.' name='EXPTIME'/>
    <FITSKeyword name="DARK" value="F" comment=""/>
    <FITSKeyword name="FILTER" value="&apos;H&#945; &amp; O&apos;" comment=""/>
    <FITSKeyword name="OBJECT" value="'second'" comment=""/>
    <FITSKeyword name="HISTORY" value="" comment="no value"/></Image></xisf>`;
  assertEquals(cards(xml), { OBJECT: "NGC 7000", EXPTIME: 120, DARK: false, FILTER: "Hα & O" });
});

Deno.test("xisfCards() takes properties where there is no FITS keyword", () => {
  const xml = `<FITSKeyword name="FILTER" value="'R'" comment=""/>
    <Property id="Observation:Object:Name" type="String">M 31 &amp; M 32</Property>
    <Property id="Instrument:Filter:Name" type="String">Red</Property>
    <Property id="Instrument:ExposureTime" type="Float32" value="300"/>
    <Property id="Observation:Time:Start" type="TimePoint" value="2026-11-22T01:02:03Z"/>
    <Property id="Instrument:Telescope:Name" type="String" location="inline:base64">YQ==</Property>
    <Property id="Something:Else" type="String">x</Property>`;
  assertEquals(cards(xml), {
    FILTER: "R",
    OBJECT: "M 31 & M 32",
    EXPTIME: 300,
    "DATE-OBS": "2026-11-22T01:02:03Z",
  });
});

Deno.test("xisfCards() of hostile text ends soon", () => {
  const start = performance.now();
  for (const part of ["<FITSKeyword name='", '<FITSKeyword a="b" ', "<Property id='x' type='y'>", "&#1234567;"]) {
    cards(part.repeat(50_000));
  }
  const tookMs = performance.now() - start;
  assertEquals(tookMs < 60_000, true, `${tookMs} ms`);
});
