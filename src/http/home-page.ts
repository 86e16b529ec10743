/** The page at `/`: what this is and where to look, for whoever opens it in a browser. Self-contained. */
export const homePage = (version: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Holdfast</title>
<style>
  :root { color-scheme: light dark; --ink: #14213d; --soft: #5c677d; --line: #d9dee8; --paper: #fbfcfe; --accent: #0b7a75 }
  @media (prefers-color-scheme: dark) { :root { --ink: #e8ecf4; --soft: #9aa5ba; --line: #2b3548; --paper: #0f1624; --accent: #4fd1c5 } }
  * { box-sizing: border-box }
  body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.6 ui-sans-serif, system-ui, sans-serif }
  main { max-width: 46rem; margin: 0 auto; padding: 4rem 1.5rem }
  h1 { font-size: 2.6rem; letter-spacing: -.03em; margin: 0 }
  h1 small { font-size: .9rem; letter-spacing: 0; font-weight: 400; color: var(--soft); margin-left: .6rem }
  .lead { font-size: 1.2rem; color: var(--soft); margin: .4rem 0 2.5rem }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.5rem; border-top: 1px solid var(--line); padding-top: 1.5rem }
  dt a, code { font-family: ui-monospace, SFMono-Regular, Menlo, monospace; font-size: .92em }
  a { color: var(--accent); text-decoration: none } a:hover { text-decoration: underline }
  dd { margin: 0; color: var(--soft) }
  pre { background: color-mix(in srgb, var(--line) 35%, transparent); padding: 1rem 1.2rem; border-radius: .6rem; overflow-x: auto; font-size: .88rem }
  @media (max-width: 36rem) { dl { grid-template-columns: 1fr } dd { margin-bottom: .6rem } }
</style>
</head>
<body>
<main>
<h1>Holdfast<small>${version}</small></h1>
<p class="lead">Keeps every shop honest about stock: what may still be promised, to whom, for which day.</p>
<dl>
<dt><a href="/openapi.json">/openapi.json</a></dt><dd>every door of this service</dd>
<dt><a href="/readyz">/readyz</a></dt><dd>whether it can answer</dd>
<dt><a href="/metrics">/metrics</a></dt><dd>figures for Prometheus</dd>
<dt><code>/v1/stock/{sku}</code></dt><dd>what is sellable, and from where</dd>
<dt><code>/v1/ledger</code></dt><dd>every change: who, when, why, from what to what</dd>
<dt><code>/v1/incidents</code></dt><dd>what a person should know</dd>
</dl>
<h2>From the command line</h2>
<pre>npx holdfast stock SKU
npx holdfast ledger --sku SKU
npx holdfast --help</pre>
</main>
</body>
</html>
`
