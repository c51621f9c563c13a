"""OData as Dataverse and Finance both speak it: sessions, batches and cursors."""
