import { createHash } from 'node:crypto'

/** The one stylesheet of all pages. */
export const style = `
:root {
  color-scheme: light dark;
  --ground: #f4f5f7; --card: #ffffff; --ink: #171a1f; --muted: #57606c; --line: #d9dde3;
  --link: #1a4fc4; --focus: #1a4fc4; --code: #f6f7f9;
  --yes: #146c3a; --yes-ink: #ffffff; --no: #a8211a; --no-ground: #ffffff;
  --wait: #7a4b00; --wait-ground: #fff3d6; --good: #0f5a2e; --good-ground: #dff3e6; --bad: #8f1913; --bad-ground: #fde6e4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #101317; --card: #191d23; --ink: #e9ecf0; --muted: #a3adb9; --line: #313842;
    --link: #8db4ff; --focus: #8db4ff; --code: #12161b;
    --yes: #2f9a5c; --yes-ink: #06150c; --no: #ff9c94; --no-ground: #191d23;
    --wait: #ffd48a; --wait-ground: #3a2b0c; --good: #9fe3b9; --good-ground: #123220; --bad: #ffb4ad; --bad-ground: #3d1614;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 4px; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 8px; top: 8px; background: var(--card); padding: 8px 12px; z-index: 2; }
.top { background: var(--card); border-bottom: 1px solid var(--line); }
.top > div { max-width: 68rem; margin: 0 auto; padding: 4px 16px; display: flex; align-items: center; gap: 4px 14px; min-height: 48px; }
.brand { display: inline-flex; align-items: center; gap: 8px; font-weight: 650; color: inherit; text-decoration: none; }
.brand img { width: 22px; height: 22px; }
.top nav { display: flex; gap: 2px; }
.top nav a { color: inherit; text-decoration: none; padding: 8px; border-radius: 6px; }
.top nav a[aria-current] { font-weight: 600; box-shadow: inset 0 -2px var(--link); border-radius: 0; }
.who { margin-left: auto; display: flex; align-items: center; gap: 10px; min-width: 0; color: var(--muted); font-size: 14px; }
.who bdi { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; max-width: 16rem; }
.plain { font: inherit; color: var(--link); background: none; border: 0; padding: 8px 0; cursor: pointer; white-space: nowrap; text-decoration: underline; }
main { max-width: 68rem; margin: 0 auto; padding: 14px 16px 48px; }
h1 { font-size: 1.35rem; line-height: 1.25; margin: 6px 0 10px; overflow-wrap: anywhere; text-wrap: pretty; }
h2 { font-size: 1.05rem; margin: 26px 0 8px; }
p { margin: 8px 0; overflow-wrap: anywhere; }
.muted { color: var(--muted); }
.small { font-size: 14px; }
.chip { display: inline-block; padding: 2px 9px; border-radius: 99px; font-size: 14px; font-weight: 600; background: var(--ground); border: 1px solid var(--line); }
.wait { color: var(--wait); background: var(--wait-ground); border-color: transparent; }
.good { color: var(--good); background: var(--good-ground); border-color: transparent; }
.bad { color: var(--bad); background: var(--bad-ground); border-color: transparent; }
.status { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 9px; margin: 0; font-size: 15px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px; margin: 0 0 12px; overflow-wrap: anywhere; overflow: hidden; }
.card h2, .card h3 { margin: 0 0 6px; font-size: 1.05rem; overflow-wrap: anywhere; }
.note { border-left: 4px solid var(--line); padding-left: 12px; }
.note.wait, .note.good, .note.bad { border-left-color: currentColor; padding: 10px 12px; border-radius: 6px; }
dl { margin: 0; display: grid; grid-template-columns: minmax(4.6rem, max-content) 1fr; gap: 4px 12px; }
dt { color: var(--muted); }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.strong { font-weight: 650; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 14px; }
pre { margin: 0; padding: 10px 12px; background: var(--code); border: 1px solid var(--line); border-radius: 8px; white-space: pre-wrap; overflow-wrap: anywhere; tab-size: 4; unicode-bidi: plaintext; overflow: hidden; }
.mark { font: 600 12px/1.2 system-ui, sans-serif; color: var(--bad); background: var(--bad-ground); border-radius: 4px; padding: 1px 5px; margin: 0 1px; unicode-bidi: isolate; white-space: nowrap; }
ul.rows { margin: 0; padding: 0; list-style: none; }
ol.values { margin: 0; padding: 4px 14px; list-style: none; }
ol.values li { display: grid; grid-template-columns: 3rem 1fr; padding: 4px 0; border-bottom: 1px solid var(--line); }
ol.values li:last-child { border-bottom: 0; }
ol.values code { overflow-wrap: anywhere; white-space: pre-wrap; }
ul.rows li + li { border-top: 1px solid var(--line); margin-top: 10px; padding-top: 10px; }
.list { list-style: none; margin: 0; padding: 0; }
.list .card { position: relative; }
.list .card > h3 a { color: inherit; text-decoration: none; }
.list .card > h3 a::after { content: ""; position: absolute; inset: 0; border-radius: 10px; }
.list .card:has(h3 a):hover { border-color: var(--link); }
.oneline { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 13px; color: var(--muted); display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
label, legend { display: block; font-weight: 600; margin: 0 0 4px; padding: 0; }
fieldset { border: 0; margin: 0 0 10px; padding: 0; }
fieldset label { font-weight: 400; display: flex; gap: 8px; align-items: center; min-height: 36px; }
textarea, input[type=text] { width: 100%; font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--muted); border-radius: 8px; padding: 9px 11px; margin: 0 0 10px; }
textarea { min-height: 4.6rem; resize: vertical; display: block; }
.buttons { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; }
button.main { font: inherit; font-weight: 650; min-height: 48px; padding: 8px 18px; border-radius: 8px; border: 2px solid var(--no); cursor: pointer; color: var(--no); background: var(--no-ground); }
button.yes { border-color: var(--yes); background: var(--yes); color: var(--yes-ink); }
a.button { display: inline-block; margin: 0 8px 10px 0; text-decoration: none; font-weight: 650; min-height: 48px; line-height: 44px; padding: 0 18px; border-radius: 8px; border: 2px solid var(--link); }
details > summary { cursor: pointer; padding: 8px 0; color: var(--link); }
details form { padding-top: 6px; max-width: 34rem; }
.jump { display: block; position: sticky; bottom: 0; margin: 14px -16px -48px; padding: 12px 16px; background: var(--card); border-top: 1px solid var(--line); text-align: center; font-weight: 600; }
.jump + * { margin-top: 60px; }
footer { max-width: 68rem; margin: 0 auto; padding: 0 16px 24px; color: var(--muted); font-size: 14px; }
.narrow { max-width: 38rem; }
@media (max-width: 479px) {
  .who bdi { display: none; }
  .brand span { display: none; }
}
@media (min-width: 900px) {
  .two { display: grid; grid-template-columns: minmax(0, 1fr) 21rem; gap: 0 24px; align-items: start; }
  .two > aside { position: sticky; top: 16px; }
  .two .jump { display: none; }
  h1 { font-size: 1.6rem; }
  main { padding-top: 22px; }
  dl { grid-template-columns: 9rem 1fr; gap: 7px 14px; }
}
@media print { .top, .jump, form { display: none; } }
`

/** Where it is served: another path for other contents, so that browsers may keep it. */
export const stylePath = `/style-${createHash('sha256').update(style).digest('hex').slice(0, 12)}.css`

/** The mark of the product: a gate in a wall. */
export const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect width="24" height="24" rx="5" fill="#1a4fc4"/><path d="M6 20V11a6 6 0 0 1 12 0v9h-3.2V11a2.8 2.8 0 0 0-5.6 0v9z" fill="#fff"/><circle cx="12" cy="16.5" r="1.4" fill="#fff"/></svg>`

/** Where the mark is served. */
export const iconPath = '/icon.svg'
