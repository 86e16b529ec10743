# One image for every command: `docker run … holdfast serve`, `… shops`, `… verify --offline`. It brings no PostgreSQL: DATABASE_URL.
# Node 24 runs the TypeScript as it stands, so there is nothing to build; the stages only keep npm's cache out of the image.

FROM node:24-bookworm-slim AS packages
WORKDIR /holdfast
COPY package.json package-lock.json ./
# Optional packages are an embedded PostgreSQL and a Node for hosts that lack one: neither is wanted here. No install script runs.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM node:24-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4600 HOLDFAST_HOME=/var/lib/holdfast
WORKDIR /holdfast
COPY --from=packages /holdfast/node_modules ./node_modules
COPY package.json LICENSE ./
COPY src ./src
COPY sim ./sim
COPY bench ./bench
COPY shopware-app ./shopware-app
# The admin token is the only thing that is written outside the database.
RUN install --directory --owner=node --group=node --mode=0700 /var/lib/holdfast
VOLUME /var/lib/holdfast
USER node
EXPOSE 4600
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/readyz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "src/main.ts"]
CMD ["serve"]
