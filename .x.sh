cd /work/h4
time .venv/bin/labctl up
time .venv/bin/labctl up
.venv/bin/labctl plan
docker inspect hello-alice-1 --format '{{json .Config.Labels}}'
docker compose up -d 2>&1 | tail -9
docker compose ps
time .venv/bin/labctl down
