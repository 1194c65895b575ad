"""Keys: how one is written (`secret`), who may have which (`grants`), where they are kept (`store`), the guard at the
door (`door`) and the routes (`api`)."""
