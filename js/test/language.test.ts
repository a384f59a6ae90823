import { describe, expect, it } from "vitest";
import { languageName, languageOf, voiceFor } from "../src/speech/language";

describe("the language of a text", () => {
  it.each([
    ["你好，今天天气怎么样？", "zh-CN"],
    ["你好, this is a test of OpenAI", "en"],
    ["请打开 iPhone 的设置", "zh-CN"],
    ["今日は東京に行きます", "ja"],
    ["東京特許許可局の職員", "ja"],
    ["カメラ", "ja"],
    ["안녕하세요", "ko"],
    ["Привет, как дела?", "ru"],
    ["مرحبا بالعالم", "ar"],
    ["שלום לכם", "he"],
    ["नमस्ते दुनिया", "hi"],
    ["สวัสดีชาวโลก", "th"],
    ["Καλημέρα κόσμε", "el"],
    ["You said seven.", "en"],
    ["Ça va très bien, merci.", "en"],
  ])("%s is %s", (text, language) => {
    expect(languageOf(text, [])).toBe(language);
  });

  it.each([
    ["Das ist eine Sieben.", ["de-AT", "en"], "de-AT"],
    ["Das ist eine Sieben.", ["zh-CN", "de"], "de"],
    ["Це сім.", ["uk"], "uk"],
    ["你好", ["zh-TW"], "zh-TW"],
    ["Hello.", ["not a tag", "??"], "en"],
  ])("%s on a page in %o is %s", (text, preferred, language) => {
    expect(languageOf(text, preferred)).toBe(language);
  });

  it.each(["", "7 + 7 = 14.", "🙂 …"])("%o has none", (text) => {
    expect(languageOf(text, ["de"])).toBeNull();
  });
});

describe("the voice for a language", () => {
  const voices = [
    { lang: "en-US", default: true },
    { lang: "zh_TW", default: false },
    { lang: "zh-CN", default: false },
    { lang: "pt-BR", default: false },
    { lang: "pt-PT", default: true },
  ];

  it.each([
    ["zh-CN", "zh-CN"],
    ["zh-TW", "zh_TW"],
    ["zh-HK", "zh_TW"],
    ["en", "en-US"],
    ["pt", "pt-PT"],
  ])("%s is %s", (language, lang) => {
    expect(voiceFor(voices, language)?.lang).toBe(lang);
  });

  it("is none where none speaks it", () => {
    expect(voiceFor(voices, "he")).toBeNull();
  });

  it("is called by its language's name", () => {
    expect([languageName("he"), languageName("zh-CN"), languageName("??")]).toEqual([
      "Hebrew",
      expect.stringContaining("Chinese"),
      "??",
    ]);
  });
});
