"""Services for operators: they return facts as data, which the commands and the admin only show."""
