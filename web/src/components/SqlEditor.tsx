/** SQL to write: with the columns of the tables at hand, and what is wrong with it at its place. Fetched when it is needed. */
import {
  autocompletion,
  type Completion,
  type CompletionContext,
  closeBrackets,
  completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { PostgreSQL, sql } from "@codemirror/lang-sql";
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, setDiagnostics } from "@codemirror/lint";
import { Compartment, EditorState } from "@codemirror/state";
import { EditorView, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";
import { places } from "./places";
import type { Editing } from "./Sql";

/** Those of the engine that plain SQL does not have. */
const FUNCTIONS: Completion[] = [
  ["tolerance_match", "(a, b, threshold)", "at most so far apart"],
  ["tolerance_pct", "(a, b, percent)", "at most so many percent apart"],
  ["date_within", "(a, b, days[, zone])", "at most so many days apart"],
  ["normalize_key", "(k, rules)", "without what keys may differ in: 'trim,case'"],
  ["normalize_text", "(s)", "without case, accents and punctuation"],
  ["similarity", "(a, b)", "how alike two texts are, 0 to 1"],
].map(([label = "", detail = "", info = ""]) => ({ label, detail, info, type: "function" }));

const LOOK = EditorView.theme({
  "&": { fontSize: "12px", borderRadius: "4px" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "2px" },
  ".cm-scroller": { fontFamily: "var(--font-mono)", lineHeight: "1.625", maxHeight: "28rem" },
  ".cm-content": { padding: "12px 0", caretColor: "var(--ink)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": {
    background: "color-mix(in srgb, var(--accent) 25%, transparent) !important",
  },
  ".cm-gutters": { background: "transparent", color: "var(--quiet)", border: "none" },
  ".cm-tooltip": { background: "var(--surface)", color: "var(--ink)", border: "1px solid var(--line)" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { background: "var(--raised)", color: "var(--ink)" },
  ".cm-diagnostic": { padding: "4px 8px", fontFamily: "var(--font-sans)" },
});

const COLOURS = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--accent)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--matched)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--open-left)" },
  { tag: tags.comment, color: "var(--quiet)" },
]);

export default function SqlEditor({ id, label, text, change, tables = {}, wrong = [] }: Editing) {
  const box = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const language = useRef(new Compartment());
  const tell = useRef(change);
  tell.current = change;

  // biome-ignore lint/correctness/useExhaustiveDependencies: the editor is made once; the effects below keep it current
  useEffect(() => {
    if (!box.current) return;
    const made = new EditorView({
      parent: box.current,
      state: EditorState.create({
        doc: text,
        extensions: [
          lineNumbers(),
          history(),
          closeBrackets(),
          autocompletion({ icons: false }),
          keymap.of([...completionKeymap, ...defaultKeymap, ...historyKeymap]),
          language.current.of(speak(tables)),
          syntaxHighlighting(COLOURS),
          lintGutter(),
          LOOK,
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": label, id, spellcheck: "false", tabindex: "0" }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) tell.current(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = made;
    // Lines are measured anew once their letters are there.
    void document.fonts.ready.then(() => made.requestMeasure());
    return () => made.destroy();
  }, [id, label]);

  useEffect(() => {
    const now = view.current;
    // What was typed here comes back from the address, and is there already.
    if (!now || now.state.doc.toString() === text) return;
    now.dispatch({ changes: { from: 0, to: now.state.doc.length, insert: text } });
  }, [text]);

  const columns = JSON.stringify(tables);
  useEffect(() => {
    view.current?.dispatch({ effects: language.current.reconfigure(speak(JSON.parse(columns))) });
  }, [columns]);

  const told = JSON.stringify(wrong);
  useEffect(() => {
    const now = view.current;
    if (!now) return;
    const found = places(now.state.doc.toString(), JSON.parse(told) as string[]);
    now.dispatch(
      setDiagnostics(
        now.state,
        found.map((place) => ({ ...place, severity: "error" as const })),
      ),
    );
  }, [told]);

  return <div ref={box} className="overflow-hidden rounded border border-line bg-ground" />;
}

/** The words of SQL, the tables with their columns, and the functions. */
function speak(schema: Record<string, string[]>) {
  const functions = (context: CompletionContext) => {
    const word = context.matchBefore(/\w+/);
    return word ? { from: word.from, options: FUNCTIONS, validFor: /^\w*$/ } : null;
  };
  return [
    sql({ dialect: PostgreSQL, schema, upperCaseKeywords: true }),
    PostgreSQL.language.data.of({ autocomplete: functions }),
  ];
}
