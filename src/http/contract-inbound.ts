/** What is told of inbound lines: the lines themselves, and what each offers to a shop. */
import { Type } from 'typebox'

const Units = Type.Integer({ minimum: 0 })

export const InboundLine = Type.Object({
  purchaseOrder: Type.String(),
  line: Type.String(),
  warehouse: Type.String(),
  orderedUnits: Units,
  receivedUnits: Units,
  rejectedUnits: Type.Optional(Units),
  /** Live units that wait for it. */
  peggedUnits: Units,
  /** Rises of the figure that may be units of this line, and that nothing has explained. */
  chargedUnits: Units,
  /** What may be promised of it, as far as the rules take the line. */
  freeUnits: Units,
  confirmed: Type.Boolean(),
  eta: Type.Optional(Type.String()),
  cancelled: Type.Boolean(),
})

export const LineOffer = Type.Object({
  purchaseOrder: Type.String(),
  line: Type.String(),
  units: Units,
  /** The day on which its goods are expected in the warehouse, margin included. */
  arrival: Type.Optional(Type.String()),
  /** Why it offers nothing; told in docs/promises.md. */
  refusal: Type.Optional(Type.String()),
})
