import type { Instant } from '../../core/ids.ts'

/** A moment as Shopware stores it: UTC, without a zone. */
export const storageMoment = (moment: Instant): string =>
  new Date(moment).toISOString().replace('T', ' ').replace('Z', '')
