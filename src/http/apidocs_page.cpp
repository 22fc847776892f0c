#include "http/openapi.h"

namespace fewshop::http {
namespace {

// Everything shown comes from the document by textContent, never as HTML. The key stays in the page: it is not stored.
constexpr std::string_view kPage = R"html(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>fewshop API</title>
<style>
:root { color-scheme: light dark; --page: #ffffff; --ink: #1c2430; --soft: #5b6675; --line: #d9dee5; --panel: #f5f7fa;
  --accent: #0b62c4; --get: #0b62c4; --post: #1a7f37; --put: #8a5a00; --patch: #8a5a00; --delete: #b42318; --on: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --page: #12161c; --ink: #e6eaf0; --soft: #9aa6b5; --line: #2c3541; --panel: #1a2028;
    --accent: #5aa9ff; --get: #5aa9ff; --post: #56d364; --put: #e5c453; --patch: #e5c453; --delete: #ff7b72; --on: #12161c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; margin: 0; } h1 small { color: var(--soft); font-size: 1rem; font-weight: 400; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; text-transform: capitalize; }
h3 { font-size: .92rem; margin: 1rem 0 .3rem; color: var(--soft); }
.bar { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1rem 0; position: sticky; top: 0; background: var(--page); padding: .6rem 0; border-bottom: 1px solid var(--line); }
.bar label { flex: 1 1 14rem; color: var(--soft); font-size: .85rem; }
input, select, textarea { width: 100%; font: inherit; color: var(--ink); background: var(--page); border: 1px solid var(--line); border-radius: 6px; padding: .4rem .6rem; }
textarea { font: 13px/1.45 ui-monospace, monospace; min-height: 7rem; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
details.route { border: 1px solid var(--line); border-radius: 8px; margin: .4rem 0; }
details.route > summary { cursor: pointer; padding: .5rem .75rem; display: flex; flex-wrap: wrap; gap: .2rem .75rem; align-items: baseline; list-style: none; }
details.route > summary::-webkit-details-marker { display: none; }
details.route[open] > summary { border-bottom: 1px solid var(--line); background: var(--panel); border-radius: 8px 8px 0 0; }
.method { font: 600 .8rem ui-monospace, monospace; color: var(--on); border-radius: 4px; padding: .1rem .45rem; min-width: 4.2rem; text-align: center; background: var(--get); }
.method.post { background: var(--post); } .method.put { background: var(--put); } .method.patch { background: var(--patch); } .method.delete { background: var(--delete); }
code, pre { font: 13px/1.45 ui-monospace, monospace; } code.path { font-size: .95rem; overflow-wrap: anywhere; }
.soft { color: var(--soft); font-size: .9rem; } .scope { margin-left: auto; font-size: .8rem; color: var(--soft); border: 1px solid var(--line); border-radius: 99px; padding: 0 .6rem; }
.inside { padding: .25rem .9rem .9rem; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: .6rem .8rem; overflow: auto; max-height: 24rem; margin: .3rem 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.field { display: grid; grid-template-columns: minmax(8rem, 14rem) 1fr; gap: .25rem .75rem; align-items: center; margin: .35rem 0; }
.field .soft { grid-column: 2; margin-top: -.2rem; } @media (max-width: 36rem) { .field { grid-template-columns: 1fr; } .field .soft { grid-column: 1; } }
button { font: inherit; font-weight: 600; color: var(--on); background: var(--accent); border: 0; border-radius: 6px; padding: .45rem 1.1rem; cursor: pointer; margin-top: .6rem; }
</style></head><body><main>
<h1>fewshop API <small id="version"></small></h1>
<p class="soft">The same as a machine reads it: <a id="json" href="apidocs.json" style="color: var(--accent)">apidocs.json</a> (OpenAPI 3.1). Errors have one shape: <code>{"error": {"code", "message", "request_id"}}</code>.</p>
<div class="bar"><label>Key (X-API-Key), kept in this page only<input id="key" type="password" autocomplete="off" spellcheck="false"></label>
<label>Find a route<input id="find" type="search" placeholder="recommend, events, POST ..."></label></div>
<div id="routes" aria-live="polite"><p class="soft">Loading ...</p></div>
</main><script>
"use strict";
const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) name in node && name !== "list" ? node[name] = value : node.setAttribute(name, value);
  node.append(...children.filter(child => child !== null && child !== undefined));
  return node;
};
let api;
// The page may stand behind a proxy that puts a prefix before all paths.
const base = location.pathname.replace(/\/?apidocs\/?$/, "");
const resolve = value => {
  for (let depth = 0; value && value.$ref && depth < 10; ++depth)
    value = value.$ref.slice(2).split("/").reduce((at, part) => at && at[part], api);
  return value || {};
};
const example = (schema, depth = 0) => {
  schema = resolve(schema);
  if (schema.example !== undefined) return schema.example;
  if (schema.examples && schema.examples.length) return schema.examples[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  const choice = schema.oneOf || schema.anyOf;
  if (choice) return example(choice[0], depth + 1);
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (depth > 6) return null;
  if (type === "object" || schema.properties) return Object.fromEntries(Object.entries(schema.properties || {}).map(([name, of]) => [name, example(of, depth + 1)]));
  if (type === "array") return schema.items ? [example(schema.items, depth + 1)] : [];
  return {string: "", integer: 0, number: 0, boolean: false}[type] ?? null;
};
const content = of => { const types = Object.entries((of && of.content) || {}); return types.length ? {type: types[0][0], schema: types[0][1].schema} : null; };
const schemaBlock = schema => make("pre", {textContent: JSON.stringify(resolve(schema), null, 2)});

function form(method, path, operation) {
  const box = make("div", {className: "inside"});
  if (operation.description) box.append(make("p", {className: "soft", textContent: operation.description}));
  const fields = [];
  const parameters = (operation.parameters || []).map(resolve);
  if (parameters.length) box.append(make("h3", {textContent: "Parameters"}));
  for (const parameter of parameters) {
    const input = parameter.schema.type === "boolean"
      ? make("select", {}, ...["", "true", "false"].map(text => make("option", {value: text, textContent: text || "-"})))
      : make("input", {type: "text", spellcheck: false, placeholder: parameter.schema.type});
    const label = make("label", {}, make("code", {textContent: parameter.name}), make("span", {className: "soft", textContent: " " + parameter.in + (parameter.required ? ", required" : "")}));
    input.setAttribute("aria-label", parameter.name);
    box.append(make("div", {className: "field"}, label, input, parameter.description ? make("span", {className: "soft", textContent: parameter.description}) : null));
    fields.push([parameter, input]);
  }
  const body = content(resolve(operation.requestBody));
  let text = null;
  if (body) {
    const shown = body.type.includes("json") ? JSON.stringify(example(body.schema), null, body.type.includes("ndjson") ? 0 : 2) : "";
    text = make("textarea", {value: shown, spellcheck: false});
    text.setAttribute("aria-label", "body");
    box.append(make("h3", {textContent: "Body: " + body.type}), text,
      make("details", {}, make("summary", {className: "soft", textContent: "Schema of the body"}), schemaBlock(body.schema)));
  }
  const answer = content(resolve((operation.responses || {})["200"]));
  if (answer && answer.schema) box.append(make("details", {}, make("summary", {className: "soft", textContent: "Schema of the answer"}), schemaBlock(answer.schema)));
  const button = make("button", {type: "button", textContent: "Send"});
  const out = make("div");
  button.addEventListener("click", async () => {
    let address = path;
    const query = new URLSearchParams();
    const headers = {};
    for (const [parameter, input] of fields) {
      if (parameter.in === "path") address = address.replace("{" + parameter.name + "}", encodeURIComponent(input.value));
      else if (input.value === "") continue;
      else if (parameter.in === "header") headers[parameter.name] = input.value;
      else query.append(parameter.name, input.value);
    }
    if ([...query].length) address += "?" + query;
    const key = document.getElementById("key").value;
    if (key) headers["X-API-Key"] = key;
    if (text) headers["Content-Type"] = body.type;
    const began = performance.now();
    try {
      const response = await fetch(base + address, {method: method.toUpperCase(), headers, body: text ? text.value : undefined});
      let got = await response.text();
      try { got = JSON.stringify(JSON.parse(got), null, 2); } catch { /* not JSON: as it is */ }
      out.replaceChildren(make("p", {className: "soft", textContent: method.toUpperCase() + " " + address + ": " + response.status + ", " + Math.round(performance.now() - began) + " ms, request " + response.headers.get("X-Request-ID")}), make("pre", {textContent: got || "(empty)"}));
    } catch (error) {
      out.replaceChildren(make("p", {className: "soft", textContent: "No answer: " + error.message}));
    }
  });
  box.append(button, out);
  return box;
}

function show() {
  const wanted = document.getElementById("find").value.toLowerCase();
  const groups = new Map();
  for (const [path, methods] of Object.entries(api.paths))
    for (const [method, operation] of Object.entries(methods)) {
      const tag = (operation.tags || ["other"])[0];
      if (wanted && !(method + " " + path + " " + operation.summary + " " + tag).toLowerCase().includes(wanted)) continue;
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push([method, path, operation]);
    }
  const all = [];
  for (const [tag, routes] of [...groups].sort()) {
    all.push(make("h2", {textContent: tag}));
    for (const [method, path, operation] of routes) {
      const details = make("details", {className: "route"}, make("summary", {},
        make("span", {className: "method " + method, textContent: method.toUpperCase()}), make("code", {className: "path", textContent: path}),
        make("span", {className: "soft", textContent: operation.summary}),
        make("span", {className: "scope", textContent: operation["x-scope"] || "open"})));
      details.addEventListener("toggle", () => { if (details.open && details.children.length === 1) details.append(form(method, path, operation)); });
      all.push(details);
    }
  }
  if (!all.length) all.push(make("p", {className: "soft", textContent: "No route contains \u201c" + wanted + "\u201d."}));
  document.getElementById("routes").replaceChildren(...all);
}

document.getElementById("json").href = base + "/apidocs.json";
fetch(base + "/apidocs.json").then(response => response.json()).then(document_ => {
  api = document_;
  document.getElementById("version").textContent = api.info.version;
  document.getElementById("find").addEventListener("input", show);
  show();
}).catch(error => document.getElementById("routes").replaceChildren(make("p", {textContent: "apidocs.json could not be read: " + error.message})));
</script></body></html>
)html";

}  // namespace

std::string_view apidocs_page() { return kPage; }

}  // namespace fewshop::http
