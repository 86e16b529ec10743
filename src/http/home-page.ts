/**
 * The page at `/`: what this is, how it is doing, and where to look, for whoever opens it in a browser. Self-contained: no file,
 * font or script from anywhere else. Its numbers are those of `/metrics`, which needs no token and names nobody.
 */
export const homePage = (version: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Holdfast</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<main>
<header>
<h1>Holdfast <small>${version}</small></h1>
<p id="state" class="state" role="status">looking …</p>
</header>
<p class="lead">It stands between a warehouse and its shops, and decides what may still be promised. The warehouse owns the truth
about goods, the shops show and sell. While Holdfast answers, no unit is promised twice.</p>
<section class="way" aria-label="This process since its start">
<article><h2>Warehouses</h2><p><b id="messages">–</b> messages taken</p><p><b id="letters">–</b> could not be read</p></article>
<i aria-hidden="true">→</i>
<article class="here"><h2>Holdfast</h2><p><b id="waiting">–</b> decisions wait</p><p><b id="bugs">–</b> broken invariants</p></article>
<i aria-hidden="true">⇄</i>
<article><h2>Shops</h2><p><b id="granted">–</b> checkouts granted, <b id="refused">–</b> refused</p><p>99 of 100 within <b id="within">–</b></p></article>
</section>
<p class="note">Figures of this process since its start, from <a href="/metrics">/metrics</a>.</p>
<h2>Doors</h2>
<dl>
<dt><a href="/openapi.json">/openapi.json</a></dt><dd>every door, with its bodies and answers</dd>
<dt><a href="/metrics">/metrics</a></dt><dd>figures for Prometheus</dd>
<dt><a href="/healthz">/healthz</a> · <a href="/readyz">/readyz</a></dt><dd>the process lives · it can answer</dd>
<dt>/v1/stock/{sku}</dt><dd>every quantity by its own name, and from where <span>token</span></dd>
<dt>/v1/ledger</dt><dd>every change: who, when, why, from what to what <span>token</span></dd>
<dt>/v1/incidents</dt><dd>what a person should know <span>token</span></dd>
<dt>/v1/dead-letters</dt><dd>what could not be read, whole, with the reason <span>token</span></dd>
</dl>
<h2>From the command line</h2>
<pre>npx holdfast stock SKU          <em>what is sellable, and from where</em>
npx holdfast ledger --sku SKU   <em>how it came to that</em>
npx holdfast incidents          <em>what a person should know</em>
npx holdfast verify             <em>rebuild everything from the ledger, and compare</em>
npx holdfast --help             <em>all commands</em></pre>
<p class="note">The first start made an admin token and kept it in <code>HOLDFAST_HOME/admin-token</code>; the command line finds it
there. Send it as <code>Authorization: Bearer …</code>, or make narrower ones with <code>npx holdfast tokens create</code>.</p>
<h2>To read, in the folder of this release</h2>
<dl>
<dt>README.md</dt><dd>five minutes to a first promise</dd>
<dt>docs/ownership.md</dt><dd>who owns which number</dd>
<dt>docs/configuration.md</dt><dd>every key of holdfast.yaml</dd>
<dt>docs/operations.md</dt><dd>when something is wrong</dd>
</dl>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`

const STYLE = `
:root { color-scheme: light dark; --ink: #14213d; --soft: #5c677d; --line: #d9dee8; --paper: #fbfcfe; --card: #fff; --accent: #0b7a75; --bad: #b3261e }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf4; --soft: #9aa5ba; --line: #2b3548; --paper: #0f1624; --card: #151e30; --accent: #4fd1c5; --bad: #ff8a80 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.6 ui-sans-serif, system-ui, sans-serif }
main { max-width: 58rem; margin: 0 auto; padding: 3.5rem 1.5rem 5rem }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 1.5rem }
h1 { font-size: 2.6rem; letter-spacing: -.03em; line-height: 1.2; margin: 0 }
h1 small { font-size: .9rem; letter-spacing: 0; font-weight: 400; color: var(--soft) }
h2 { font-size: 1rem; margin: 2.6rem 0 .6rem }
.state { margin: 0; color: var(--soft) }
.state::before { content: ""; display: inline-block; width: .6em; height: .6em; margin-right: .5em; border-radius: 50%; background: var(--soft) }
.state.good::before { background: var(--accent) } .state.bad { color: var(--bad) } .state.bad::before { background: var(--bad) }
.lead { font-size: 1.15rem; color: var(--soft); max-width: 44rem; margin: .6rem 0 2rem }
.way { display: grid; grid-template-columns: 1fr auto 1fr auto 1.25fr; gap: .9rem; align-items: center }
.way article { height: 100%; background: var(--card); border: 1px solid var(--line); border-radius: .7rem; padding: 1rem 1.2rem }
.way .here { border-color: var(--accent) }
.way h2 { margin: 0 0 .3rem; font-size: .85rem; font-weight: 600; color: var(--soft) }
.way p { margin: 0; font-size: .95rem } .way b { font-size: 1.15rem; font-variant-numeric: tabular-nums } .way b.bad { color: var(--bad) }
.way i { font-style: normal; font-size: 1.3rem; color: var(--soft) }
.note { color: var(--soft); font-size: .88rem; max-width: 44rem; margin: .7rem 0 0 }
dl { display: grid; grid-template-columns: minmax(13rem, max-content) 1fr; gap: .25rem 1.5rem; margin: 0; border-top: 1px solid var(--line); padding-top: .9rem }
dt, code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, monospace; font-size: .9em }
a { color: var(--accent); text-decoration: none } a:hover { text-decoration: underline }
dd { margin: 0; color: var(--soft) }
dd span { border: 1px solid var(--line); border-radius: .3rem; padding: 0 .35rem; font-size: .75rem; white-space: nowrap }
pre { background: var(--card); border: 1px solid var(--line); padding: 1rem 1.2rem; border-radius: .7rem; overflow-x: auto; margin: 0 }
em { font-style: normal; color: var(--soft) }
@media (max-width: 44rem) { .way { grid-template-columns: 1fr } .way i { transform: rotate(90deg); justify-self: center } dl { grid-template-columns: 1fr } dd { margin-bottom: .6rem } }
`

/** Sums what Prometheus would read, every two seconds while somebody looks. */
const SCRIPT = `
const show = (id, text, bad) => { const at = document.getElementById(id); at.textContent = text; at.classList.toggle('bad', Boolean(bad)) }
const state = (text, name) => { const at = document.getElementById('state'); at.textContent = text; at.className = 'state ' + name }
const read = (text) => text.split('\\n').flatMap((line) => {
  const found = /^holdfast_([a-z_]+)(?:{(.*)})? (\\S+)$/.exec(line)
  return found ? [{ name: found[1], labels: found[2] || '', value: Number(found[3]) }] : []
})
const sum = (rows, name, label = '') => rows.reduce((all, row) => row.name === name && row.labels.includes(label) ? all + row.value : all, 0)
const within = (rows) => {
  const all = sum(rows, 'checkout_answer_seconds_count')
  const bucket = rows.filter((row) => row.name === 'checkout_answer_seconds_bucket').find((row) => row.value >= all * 0.99)
  if (!all || !bucket) return '–'
  const seconds = Number(/le="([^"]+)"/.exec(bucket.labels)[1].replace('+Inf', 'Infinity'))
  return Number.isFinite(seconds) ? seconds * 1000 + ' ms' : 'more than 2.5 s'
}
async function look() {
  if (document.hidden) return
  try {
    const rows = read(await (await fetch('/metrics')).text())
    const { ready } = await (await fetch('/readyz')).json()
    state(ready ? 'answers' : 'the database does not answer', ready ? 'good' : 'bad')
    show('messages', sum(rows, 'messages_total', 'outcome="accepted"'))
    show('letters', sum(rows, 'messages_total', 'outcome="dead-letter"'))
    show('waiting', sum(rows, 'lane_waiting'))
    show('bugs', sum(rows, 'bugs_total'), sum(rows, 'bugs_total') > 0)
    show('granted', sum(rows, 'checkout_answers_total', 'outcome="granted"'))
    show('refused', sum(rows, 'checkout_answers_total', 'outcome="refused"') + sum(rows, 'checkout_answers_total', 'outcome="undecided-blocked"'))
    show('within', within(rows))
  } catch { state('does not answer', 'bad') }
}
look()
setInterval(look, 2000)
document.addEventListener('visibilitychange', look)
`
