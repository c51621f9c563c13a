"""Orders of a 3dcart / Shift4Shop store become sales orders in Dataverse."""
