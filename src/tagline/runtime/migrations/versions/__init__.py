"""One file a revision; `tagline.runtime.migrations.REVISIONS` lists them."""
