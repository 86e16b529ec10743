/** The app that a merchant installs, made from the templates in `shopware-app/` for one Holdfast. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { iconPng } from './icon.ts'
import { APP_NAME } from './registration.ts'

/** What differs from one Holdfast to the next. */
export type AppSettings = {
  /** Where shops reach this Holdfast, such as `https://holdfast.example`; without a query. */
  readonly publicUrl: string
  /** The secret that a registering shop proves; 16 to 255 printable characters. */
  readonly appSecret: string
  /** Three or four numbers with dots between them. */
  readonly version: string
}

/** The files of the app by their path inside its folder, which must be named `Holdfast`. */
export type AppBundle = ReadonlyMap<string, string | Uint8Array>

/** Builds the app. Throws a RangeError that names the setting which does not fit. */
export async function buildApp(settings: AppSettings): Promise<AppBundle> {
  const publicUrl = checked(settings)
  const values = { NAME: APP_NAME, VERSION: settings.version, PUBLIC_URL: publicUrl, SECRET: settings.appSecret }
  const bundle = new Map<string, string | Uint8Array>()
  for (const path of TEMPLATES) {
    const template = await readFile(join(TEMPLATE_FOLDER, path), 'utf8')
    bundle.set(path, path === 'manifest.xml' ? fill(template, values) : template)
  }
  bundle.set('Resources/config/plugin.png', iconPng())
  return bundle
}

/**
 * Writes the app into `parent`/Holdfast, ready for `custom/apps` of a shop or for a zip.
 *
 * @returns the folder
 */
export async function writeApp(parent: string, settings: AppSettings): Promise<string> {
  const folder = join(parent, APP_NAME)
  for (const [path, contents] of await buildApp(settings)) {
    const file = join(folder, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, contents)
  }
  return folder
}

const TEMPLATE_FOLDER = fileURLToPath(new URL('../../../shopware-app', import.meta.url))
const TEMPLATES = [
  'manifest.xml',
  'Resources/scripts/cart/holdfast.twig',
  'Resources/snippet/storefront.de-DE.json',
  'Resources/snippet/storefront.en-GB.json',
]

function checked({ publicUrl, appSecret, version }: AppSettings): string {
  const url = URL.canParse(publicUrl) ? new URL(publicUrl) : undefined
  const fits = url !== undefined && /^https?:$/.test(url.protocol) && !/[?#@\s]/.test(publicUrl)
  if (!fits) throw new RangeError(`publicUrl "${publicUrl}" is not an http(s) URL without user, query and fragment`)
  if (!/^[!-~]{16,255}$/.test(appSecret)) throw new RangeError('appSecret must have 16 to 255 printable characters')
  if (!/^\d+\.\d+\.\d+(\.\d+)?$/.test(version)) throw new RangeError(`version "${version}" is not like 1.2.3`)
  return publicUrl.replace(/\/+$/, '')
}

/** Puts values in place of `%NAME%` and the like, escaped for XML. The note to us at the top is left out. */
function fill(template: string, values: Readonly<Record<string, string>>): string {
  const withoutNote = template.replace(/<!-- %NAME%.*?-->\n/s, '')
  return withoutNote.replace(/%([A-Z_]+)%/g, (whole, name: string) => {
    const value = values[name]
    if (value === undefined) throw new RangeError(`the template of the manifest asks for ${whole}`)
    return value.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
  })
}
